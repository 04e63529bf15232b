//! Ambient occlusion of the neutral head: how much of the sky each vertex sees. Brute force, once.

use std::collections::HashMap;

type P = [f32; 3];

/// Rays beyond this length (dm) count as free: sockets and folds darken, the room does not.
const REACH: f32 = 1.2;
const RAYS: usize = 96;

/// The open share of the hemisphere above each vertex of `kept`; `eyes` are spheres that also block.
pub(crate) fn ambient(vertices: &[P], triangles: &[[u32; 3]], kept: &[u32], eyes: &[(P, f32)]) -> Vec<f32> {
    let mut normals: HashMap<u32, P> = HashMap::new();
    for t in triangles {
        let [a, b, c] = t.map(|v| vertices[v as usize]);
        let n = cross(sub(b, a), sub(c, a));
        for v in t {
            let sum = normals.entry(*v).or_default();
            (0..3).for_each(|k| sum[k] += n[k]);
        }
    }
    let rays: Vec<P> = (0..RAYS)
        .map(|n| {
            // Fibonacci sphere.
            let y = 1.0 - 2.0 * (n as f32 + 0.5) / RAYS as f32;
            let r = (1.0 - y * y).sqrt();
            let turn = n as f32 * 2.399_963_2;
            [r * turn.cos(), y, r * turn.sin()]
        })
        .collect();
    kept.iter()
        .map(|v| {
            let n = unit(normals.get(v).copied().unwrap_or([0.0, 0.0, 1.0]));
            let p = vertices[*v as usize];
            let origin = [0, 1, 2].map(|k| p[k] + 0.012 * n[k]);
            let near: Vec<[P; 3]> = triangles
                .iter()
                .filter(|t| !t.contains(v))
                .map(|t| t.map(|w| vertices[w as usize]))
                .filter(|t| t.iter().any(|q| dot(sub(*q, p), sub(*q, p)) < REACH * REACH))
                .collect();
            let (mut open, mut all) = (0.0, 0.0);
            for ray in &rays {
                let up = dot(*ray, n);
                if up <= 0.05 {
                    continue;
                }
                all += up;
                let blocked = eyes.iter().any(|(c, r)| meets_sphere(origin, *ray, *c, *r))
                    || near.iter().any(|t| meets(origin, *ray, t));
                open += if blocked { 0.0 } else { up };
            }
            if all > 0.0 { open / all } else { 1.0 }
        })
        .collect()
}

fn meets(origin: P, ray: P, [a, b, c]: &[P; 3]) -> bool {
    let (e1, e2) = (sub(*b, *a), sub(*c, *a));
    let h = cross(ray, e2);
    let det = dot(e1, h);
    if det.abs() < 1e-9 {
        return false;
    }
    let s = sub(origin, *a);
    let u = dot(s, h) / det;
    let q = cross(s, e1);
    let v = dot(ray, q) / det;
    let t = dot(e2, q) / det;
    u >= 0.0 && v >= 0.0 && u + v <= 1.0 && t > 1e-4 && t < REACH
}

fn meets_sphere(origin: P, ray: P, centre: P, radius: f32) -> bool {
    let to = sub(centre, origin);
    let along = dot(to, ray);
    along > 0.0 && along < REACH && dot(to, to) - along * along < radius * radius
}

fn sub(a: P, b: P) -> P {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
fn dot(a: P, b: P) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
fn cross(a: P, b: P) -> P {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
fn unit(a: P) -> P {
    let n = dot(a, a).sqrt().max(1e-12);
    a.map(|x| x / n)
}
