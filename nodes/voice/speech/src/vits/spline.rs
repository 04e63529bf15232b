//! The inverse of a monotone rational-quadratic spline with linear tails (Durkan and others, "Neural Spline Flows", 2019): the element
//! of the duration predictor that picks elements by their value, which no graph of fixed shapes can. Pure.

/// Bins, and the interval that they cover; outside of it the spline is the identity. As VITS has it.
pub(super) const BINS: usize = 10;
const BOUND: f32 = 5.0;
/// Least width, height and slope of a bin: what keeps it invertible.
const LEAST: f32 = 1e-3;
/// Parameters of one element: widths, heights, and the slopes between bins.
pub(super) const PARAMETERS: usize = 3 * BINS - 1;

/// What the spline takes to `y`. `raw` are its parameters as the network gives them; widths and heights are scaled by 1 / sqrt of
/// its channels, which is `scale`.
pub(super) fn inverse(y: f32, raw: &[f32; PARAMETERS], scale: f32) -> f32 {
    if !(-BOUND..=BOUND).contains(&y) {
        return y;
    }
    let (widths, rest) = raw.split_at(BINS);
    let (heights, slopes) = rest.split_at(BINS);
    let (x_edges, y_edges) = (edges(widths, scale), edges(heights, scale));
    let bin = y_edges[1..BINS].iter().filter(|edge| y >= **edge).count();
    // Slope 1 at both ends, where the tails begin.
    let slope = |edge: usize| match edge {
        0 | BINS => 1.0,
        _ => LEAST + softplus(slopes[edge - 1]),
    };
    let (left, right) = (slope(bin), slope(bin + 1));
    let (x, width) = (x_edges[bin], x_edges[bin + 1] - x_edges[bin]);
    let (bottom, height) = (y_edges[bin], y_edges[bin + 1] - y_edges[bin]);
    let (up, steep) = (y - bottom, height / width);
    let bend = left + right - 2.0 * steep;
    let a = up * bend + height * (steep - left);
    let b = height * left - up * bend;
    let c = -steep * up;
    // Rounding may take it below zero at an edge.
    let root = 2.0 * c / (-b - (b * b - 4.0 * a * c).max(0.0).sqrt());
    x + root * width
}

/// The edges of the bins: softmax, each at least [`LEAST`], over the interval.
fn edges(raw: &[f32], scale: f32) -> [f32; BINS + 1] {
    let most = raw.iter().copied().fold(f32::MIN, f32::max);
    let parts: Vec<f32> = raw.iter().map(|one| ((one - most) * scale).exp()).collect();
    let sum: f32 = parts.iter().sum();
    let mut edges = [-BOUND; BINS + 1];
    let mut at = 0.0;
    for (edge, part) in edges[1..].iter_mut().zip(&parts) {
        at += LEAST + (1.0 - LEAST * BINS as f32) * part / sum;
        *edge = 2.0 * BOUND * at - BOUND;
    }
    edges[BINS] = BOUND;
    edges
}

fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters that bend it.
    fn bent() -> [f32; PARAMETERS] {
        std::array::from_fn(|n| ((n * 7_919) % 13) as f32 - 6.0)
    }

    #[test]
    fn it_rises_from_tail_to_tail() {
        let at = |y: f32| inverse(y, &bent(), 0.3);
        assert_eq!((at(-7.5), at(7.5)), (-7.5, 7.5));
        assert!((at(-5.0) + 5.0).abs() < 1e-4 && (at(5.0) - 5.0).abs() < 1e-4);
        let all: Vec<f32> = (-500..=500).map(|n| at(n as f32 / 100.0)).collect();
        // It may be steep: a bin is as narrow as a hundredth.
        assert!(all.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn with_bins_of_one_size_and_slope_one_it_is_the_identity() {
        let mut raw = [0.0; PARAMETERS];
        // softplus of it and the least slope are 1.
        raw[2 * BINS..].fill(((1.0f32 - LEAST).exp() - 1.0).ln());
        for n in -50..=50 {
            let y = n as f32 / 10.0;
            assert!((inverse(y, &raw, 1.0) - y).abs() < 1e-4, "{y}");
        }
    }

    #[test]
    fn what_is_no_number_stays_so() {
        assert!(inverse(f32::NAN, &bent(), 0.3).is_nan());
    }
}
