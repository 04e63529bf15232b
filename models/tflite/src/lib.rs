//! Builds a tract model from a .tflite flatbuffer.
