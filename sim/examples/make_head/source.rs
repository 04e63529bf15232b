//! The data files of the source package: mesh, masks, morph targets.

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use std::{fs, io::Read, path::Path, path::PathBuf};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// One quadrilateral: vertex and texture-coordinate numbers of its corners.
pub(crate) struct Face {
    pub(crate) group: String,
    pub(crate) corners: [(u32, u32); 4],
}

impl Face {
    pub(crate) fn triangles(&self) -> [[u32; 3]; 2] {
        let [a, b, c, d] = self.corners.map(|c| c.0);
        [[a, b, c], [a, c, d]]
    }
}

/// The base mesh, in decimetres; x to the person's left, y up, z forward.
pub(crate) struct Source {
    data: PathBuf,
    pub(crate) vertices: Vec<[f32; 3]>,
    pub(crate) uvs: Vec<[f32; 2]>,
    pub(crate) faces: Vec<Face>,
}

impl Source {
    pub(crate) fn read(data: &Path) -> Result<Source> {
        let path = data.join("mpfb2/3dobjs/base.obj");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut source = Source { data: data.into(), vertices: vec![], uvs: vec![], faces: vec![] };
        let mut group = String::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("v") => source.vertices.push(numbers(words)?),
                Some("vt") => source.uvs.push(numbers(words)?),
                Some("g") => group = words.next().unwrap_or_default().into(),
                Some("f") => {
                    let mut corners = [(0, 0); 4];
                    for corner in &mut corners {
                        let (v, t) =
                            words.next().and_then(|w| w.split_once('/')).context("a face is no quad")?;
                        *corner = (v.parse::<u32>()? - 1, t.parse::<u32>()? - 1);
                    }
                    source.faces.push(Face { group: group.clone(), corners });
                }
                _ => {}
            }
        }
        ensure!(source.vertices.len() == 19158, "not the base mesh that this was written for");
        Ok(source)
    }

    /// The vertices of the groups whose name holds `word`.
    pub(crate) fn group_vertices<'a>(&'a self, word: &'a str) -> impl Iterator<Item = u32> + 'a {
        self.faces.iter().filter(move |f| f.group.contains(word)).flat_map(|f| f.corners.map(|c| c.0))
    }

    /// The middle of a group's bounding box, in `shape`.
    pub(crate) fn centre(&self, group: &str, shape: &[[f32; 3]]) -> [f32; 3] {
        let (low, high) = self.bounds(group, shape);
        [0, 1, 2].map(|n| (low[n] + high[n]) / 2.0)
    }

    /// An eyeball: centre and radius, from the sphere that stands for it in `shape`. Front to back it is longer (the
    /// cornea), so the radius is that of its width and height, and the centre is measured from the back.
    pub(crate) fn ball(&self, group: &str, shape: &[[f32; 3]]) -> ([f32; 3], f32) {
        let (low, high) = self.bounds(group, shape);
        let radius = (high[0] - low[0] + high[1] - low[1]) / 4.0;
        ([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0, (low[2] + high[2]) / 2.0], radius)
    }

    fn bounds(&self, group: &str, shape: &[[f32; 3]]) -> ([f32; 3], [f32; 3]) {
        let (mut low, mut high) = ([f32::MAX; 3], [f32::MIN; 3]);
        for v in self.faces.iter().filter(|f| f.group == group).flat_map(|f| f.corners.map(|c| c.0)) {
            for n in 0..3 {
                low[n] = low[n].min(shape[v as usize][n]);
                high[n] = high[n].max(shape[v as usize][n]);
            }
        }
        (low, high)
    }

    pub(crate) fn mask(&self, name: &str) -> Result<Mask> {
        let path = self.data.join("mpfb2/textures").join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes), options);
        let luma = decoder.decode().map_err(|e| anyhow::anyhow!("{}: {e:?}", path.display()))?;
        let (width, height) = decoder.dimensions().context("a mask has no size")?;
        Ok(Mask { width, height, luma })
    }
}

/// A grey picture over the texture coordinates.
pub(crate) struct Mask {
    width: usize,
    height: usize,
    luma: Vec<u8>,
}

impl Mask {
    pub(crate) fn at(&self, [u, v]: [f32; 2]) -> u8 {
        let x = ((u * self.width as f32) as usize).min(self.width - 1);
        let y = (((1.0 - v) * self.height as f32) as usize).min(self.height - 1);
        self.luma[y * self.width + x]
    }
}

/// A morph target: vertex numbers and offsets in decimetres.
pub(crate) struct Target(pub(crate) Vec<(u32, [f32; 3])>);

impl Target {
    pub(crate) fn read(path: &Path) -> Result<Target> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut text = String::new();
        if path.extension().is_some_and(|e| e == "gz") {
            GzDecoder::new(&bytes[..]).read_to_string(&mut text)?;
        } else {
            text = String::from_utf8(bytes)?;
        }
        let mut moved = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let vertex = words.next().context("an empty line")?.parse()?;
            moved.push((vertex, numbers(words)?));
        }
        Ok(Target(moved))
    }
}

fn numbers<'a, const N: usize>(mut words: impl Iterator<Item = &'a str>) -> Result<[f32; N]> {
    let mut out = [0.0; N];
    for slot in &mut out {
        *slot = words.next().context("a line ends early")?.parse()?;
    }
    Ok(out)
}
