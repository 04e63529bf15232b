//! What the built-in meshes have in common as files: little endian, counts (u32), points and lengths (i16, in a step of each file's
//! own), texture coordinates (2 x u16), quads (4 x (vertex u16, texture coordinate u16)), names (20 bytes).

use crate::math::V3;

/// The asset is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// It does not begin as such an asset does.
    #[error("not this kind of asset: the first bytes are wrong")]
    Magic,
    /// It ends early.
    #[error("the asset ends early, at byte {0}")]
    Truncated(usize),
    /// A number points outside of its table.
    #[error("the asset is damaged: a number points outside of its table")]
    Range,
}

/// Vertex, texture coordinate.
pub(crate) type Corner = (u16, u16);

/// Reads an asset from its begin.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Decimetres of a length of 1.
    step: f32,
}

impl<'a> Reader<'a> {
    /// Of bytes that begin with `magic`; lengths are multiples of `step` dm.
    pub(crate) fn new(bytes: &'a [u8], magic: &[u8], step: f32) -> Result<Reader<'a>, AssetError> {
        let mut reader = Reader { bytes, at: 0, step };
        if reader.take(magic.len())? == magic { Ok(reader) } else { Err(AssetError::Magic) }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], AssetError> {
        let taken = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.get(..count))
            .ok_or(AssetError::Truncated(self.at))?;
        self.at += count;
        Ok(taken)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, AssetError> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    pub(crate) fn length(&mut self) -> Result<f32, AssetError> {
        Ok(f32::from(self.u16()? as i16) * self.step)
    }

    pub(crate) fn point(&mut self) -> Result<V3, AssetError> {
        Ok([self.length()?, self.length()?, self.length()?])
    }

    pub(crate) fn points(&mut self, count: usize) -> Result<Vec<V3>, AssetError> {
        (0..count).map(|_| self.point()).collect()
    }

    /// A count of things that are at least a byte each, so it is at most the bytes that there are.
    pub(crate) fn count(&mut self) -> Result<usize, AssetError> {
        let b = self.take(4)?;
        let count = u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize;
        if count > self.bytes.len() { Err(AssetError::Range) } else { Ok(count) }
    }

    /// The number of a vertex, of so many.
    pub(crate) fn vertex(&mut self, vertices: usize) -> Result<u16, AssetError> {
        let vertex = self.u16()?;
        if usize::from(vertex) < vertices { Ok(vertex) } else { Err(AssetError::Range) }
    }

    pub(crate) fn name(&mut self) -> Result<String, AssetError> {
        let name = self.take(20)?.split(|b| *b == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// Texture coordinates, 0 .. 1.
    pub(crate) fn uvs(&mut self, count: usize) -> Result<Vec<[f32; 2]>, AssetError> {
        (0..count).map(|_| Ok([f32::from(self.u16()?) / 65535.0, f32::from(self.u16()?) / 65535.0])).collect()
    }

    /// Quads, as two triangles each.
    pub(crate) fn quads(
        &mut self,
        count: usize,
        vertices: usize,
        uvs: usize,
    ) -> Result<Vec<[Corner; 3]>, AssetError> {
        let mut triangles = Vec::with_capacity(2 * count);
        for _ in 0..count {
            let mut corner = || {
                let (vertex, uv) = (self.vertex(vertices)?, self.u16()?);
                if usize::from(uv) < uvs { Ok((vertex, uv)) } else { Err(AssetError::Range) }
            };
            let [a, b, c, d] = [corner()?, corner()?, corner()?, corner()?];
            triangles.extend([[a, b, c], [a, c, d]]);
        }
        Ok(triangles)
    }
}
