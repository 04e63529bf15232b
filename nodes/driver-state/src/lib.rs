//! Frame to driver state: face, mesh, iris, head pose, gaze, eyes, mouth.
