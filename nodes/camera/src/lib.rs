//! Frames in: V4L2, video file, image folder.
