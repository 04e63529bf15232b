//! Small fixed-size linear algebra: what pose and gaze need, without allocation.

/// A vector of three, in the unit of its use.
pub type Vec3 = [f32; 3];

/// A 3 x 3 matrix, row by row.
pub type Mat3 = [[f32; 3]; 3];

/// The identity.
pub const IDENTITY: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Sum.
pub fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Difference.
pub fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Multiple.
pub fn scale(a: Vec3, s: f32) -> Vec3 {
    [a[0] * s, a[1] * s, a[2] * s]
}

/// Scalar product.
pub fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
pub fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Length.
pub fn norm(a: Vec3) -> f32 {
    dot(a, a).sqrt()
}

/// The vector of length one along `a`, or none when `a` has no direction.
pub fn unit(a: Vec3) -> Option<Vec3> {
    let n = norm(a);
    (n.is_finite() && n > 1e-9).then(|| scale(a, 1.0 / n))
}

/// Matrix times vector.
pub fn mul(m: &Mat3, v: Vec3) -> Vec3 {
    [dot(m[0], v), dot(m[1], v), dot(m[2], v)]
}

/// Matrix product.
pub fn mat_mul(a: &Mat3, b: &Mat3) -> Mat3 {
    let mut out = [[0.0; 3]; 3];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
        }
    }
    out
}

/// Transpose: the inverse of a rotation.
pub fn transpose(m: &Mat3) -> Mat3 {
    let mut out = [[0.0; 3]; 3];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = m[j][i];
        }
    }
    out
}

/// The rotation by the length of `w` (radians) about its direction (Rodrigues).
pub fn rotation(w: Vec3) -> Mat3 {
    let angle = norm(w);
    let Some(k) = unit(w) else { return IDENTITY };
    let (s, c) = angle.sin_cos();
    let mut out = [[0.0; 3]; 3];
    let skew = [[0.0, -k[2], k[1]], [k[2], 0.0, -k[0]], [-k[1], k[0], 0.0]];
    for i in 0..3 {
        for j in 0..3 {
            let eye = if i == j { c } else { 0.0 };
            out[i][j] = eye + s * skew[i][j] + (1.0 - c) * k[i] * k[j];
        }
    }
    out
}

/// Solves `a x = b` for a symmetric positive definite `a` (Cholesky); none when `a` is not.
pub fn solve<const N: usize>(a: &[[f32; N]; N], b: &[f32; N]) -> Option<[f32; N]> {
    let mut l = [[0.0_f32; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let known: f32 = l[i].iter().zip(&l[j]).take(j).map(|(x, y)| x * y).sum();
            let sum = a[i][j] - known;
            if i == j {
                if sum.is_nan() || sum <= 0.0 {
                    return None;
                }
                l[i][i] = sum.sqrt();
            } else {
                l[i][j] = sum / l[j][j];
            }
        }
    }
    let mut y = [0.0_f32; N];
    for i in 0..N {
        let mut sum = b[i];
        for k in 0..i {
            sum -= l[i][k] * y[k];
        }
        y[i] = sum / l[i][i];
    }
    let mut x = [0.0_f32; N];
    for i in (0..N).rev() {
        let mut sum = y[i];
        for k in i + 1..N {
            sum -= l[k][i] * x[k];
        }
        x[i] = sum / l[i][i];
    }
    x.iter().all(|value| value.is_finite()).then_some(x)
}

/// The middle one of three.
pub fn middle(a: f32, b: f32, c: f32) -> f32 {
    a.max(b).min(a.min(b).max(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_about_y_takes_z_to_x() {
        let turned = mul(&rotation([0.0, core::f32::consts::FRAC_PI_2, 0.0]), [0.0, 0.0, 1.0]);
        assert!(norm(sub(turned, [1.0, 0.0, 0.0])) < 1e-6);
    }

    #[test]
    fn a_rotation_times_its_transpose_is_the_identity() {
        let r = rotation([0.3, -0.8, 0.2]);
        let product = mat_mul(&r, &transpose(&r));
        for (row, expected) in product.iter().zip(IDENTITY) {
            assert!(norm(sub(*row, expected)) < 1e-6);
        }
    }

    #[test]
    fn a_positive_definite_system_is_solved() {
        let x = solve(&[[4.0, 1.0], [1.0, 3.0]], &[1.0, 2.0]).expect("positive definite");
        assert!((x[0] - 1.0 / 11.0).abs() < 1e-6 && (x[1] - 7.0 / 11.0).abs() < 1e-6);
    }

    #[test]
    fn an_indefinite_system_has_no_solution_here() {
        assert_eq!(solve(&[[1.0, 2.0], [2.0, 1.0]], &[1.0, 1.0]), None);
    }
}
