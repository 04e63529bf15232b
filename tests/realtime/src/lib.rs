//! What belongs here: what every hard node must keep on its thread, tested on the real nodes with their real models.
