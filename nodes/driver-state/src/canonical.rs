//! Points of MediaPipe's canonical face, in centimetres: x to the face's own left, y up, z out of the face. The 33 points
//! and their weights are those of the Procrustes basis in `geometry_pipeline_metadata_landmarks.binarypb` of the npm package
//! `@mediapipe/face_mesh` 0.4.1657299874 (Apache-2.0, the MediaPipe authors); the two on the jaw (136, 365) weigh less here than
//! there (0.0100, not 0.0669), since yawning moves them.

/// One point of the canonical face.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    /// Its number in the face mesh.
    pub index: usize,
    /// Where it lies, cm.
    pub at: [f32; 3],
    /// How much it counts for the pose.
    pub weight: f32,
}

/// The basis of the head pose.
#[rustfmt::skip]
pub const BASIS: [Anchor; 33] = [
    Anchor { index: 4, at: [0.0000, -0.4632, 7.5866], weight: 0.0709 },
    Anchor { index: 6, at: [0.0000, 2.4733, 5.7886], weight: 0.0321 },
    Anchor { index: 10, at: [0.0000, 8.2618, 4.4815], weight: 0.0084 },
    Anchor { index: 33, at: [-4.4459, 2.6640, 3.1734], weight: 0.0587 },
    Anchor { index: 54, at: [-6.2793, 6.6154, 1.4259], weight: 0.0077 },
    Anchor { index: 67, at: [-3.5240, 8.0060, 3.7292], weight: 0.0091 },
    Anchor { index: 117, at: [-5.2587, 0.9458, 2.9743], weight: 0.0098 },
    Anchor { index: 119, at: [-3.3007, 0.8616, 3.8728], weight: 0.0146 },
    Anchor { index: 121, at: [-1.8207, 1.4680, 4.2241], weight: 0.0186 },
    Anchor { index: 127, at: [-7.7431, 2.3650, -2.0052], weight: 0.0052 },
    Anchor { index: 129, at: [-1.7858, -0.9783, 4.8505], weight: 0.1206 },
    Anchor { index: 132, at: [-7.2709, -2.8909, -2.2525], weight: 0.0056 },
    Anchor { index: 133, at: [-1.8564, 2.5852, 3.7579], weight: 0.0533 },
    Anchor { index: 136, at: [-5.0853, -7.1786, 0.7147], weight: 0.0100 },
    Anchor { index: 143, at: [-6.4076, 2.2360, 1.5608], weight: 0.0148 },
    Anchor { index: 147, at: [-6.2349, -1.9444, 1.6635], weight: 0.0143 },
    Anchor { index: 198, at: [-1.2468, 0.2303, 5.6810], weight: 0.0255 },
    Anchor { index: 205, at: [-3.8329, -1.5373, 4.1377], weight: 0.0473 },
    Anchor { index: 263, at: [4.4459, 2.6640, 3.1734], weight: 0.0587 },
    Anchor { index: 284, at: [6.2793, 6.6154, 1.4259], weight: 0.0077 },
    Anchor { index: 297, at: [3.5240, 8.0060, 3.7292], weight: 0.0091 },
    Anchor { index: 346, at: [5.2587, 0.9458, 2.9743], weight: 0.0098 },
    Anchor { index: 348, at: [3.3007, 0.8616, 3.8728], weight: 0.0146 },
    Anchor { index: 350, at: [1.8207, 1.4680, 4.2241], weight: 0.0186 },
    Anchor { index: 356, at: [7.7431, 2.3650, -2.0052], weight: 0.0052 },
    Anchor { index: 358, at: [1.7858, -0.9783, 4.8505], weight: 0.1206 },
    Anchor { index: 361, at: [7.2709, -2.8909, -2.2525], weight: 0.0056 },
    Anchor { index: 362, at: [1.8564, 2.5852, 3.7579], weight: 0.0533 },
    Anchor { index: 365, at: [5.0853, -7.1786, 0.7147], weight: 0.0100 },
    Anchor { index: 372, at: [6.4076, 2.2360, 1.5608], weight: 0.0148 },
    Anchor { index: 376, at: [6.2349, -1.9444, 1.6635], weight: 0.0143 },
    Anchor { index: 420, at: [1.2468, 0.2303, 5.6810], weight: 0.0255 },
    Anchor { index: 425, at: [3.8329, -1.5373, 4.1377], weight: 0.0473 },
];
