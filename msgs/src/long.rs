//! Arrays of more elements than the standard library and serde make by themselves (over 32): the covariances of `geometry_msgs`.

use std::{
    array,
    fmt::{self, Formatter},
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
    ser::SerializeTuple as _,
};
use troika_kit::{DecodeError, EncodeError};

use crate::cdr::{Cdr, Reader, Writer};

/// `N` elements, as an array `T[N]` of a .msg file has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Long<T, const N: usize>(pub [T; N]);

impl<T: Default, const N: usize> Default for Long<T, N> {
    fn default() -> Self {
        Long(array::from_fn(|_| T::default()))
    }
}

impl<T, const N: usize> Deref for Long<T, N> {
    type Target = [T; N];

    fn deref(&self) -> &[T; N] {
        &self.0
    }
}

impl<T, const N: usize> DerefMut for Long<T, N> {
    fn deref_mut(&mut self) -> &mut [T; N] {
        &mut self.0
    }
}

impl<T: Serialize, const N: usize> Serialize for Long<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(N)?;
        self.0.iter().try_for_each(|one| tuple.serialize_element(one))?;
        tuple.end()
    }
}

impl<'de, T: Deserialize<'de> + Default, const N: usize> Deserialize<'de> for Long<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(N, Elements(PhantomData))
    }
}

struct Elements<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default, const N: usize> Visitor<'de> for Elements<T, N> {
    type Value = Long<T, N>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{N} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let mut long = Long::default();
        for (at, place) in long.0.iter_mut().enumerate() {
            *place = all.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        Ok(long)
    }
}

impl<T: Cdr, const N: usize> Cdr for Long<T, N> {
    const MIN_SIZE: usize = T::MIN_SIZE * N;

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        T::write_all(&self.0, w)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut long = Self::default();
        T::read_all(&mut long.0, r)?;
        Ok(long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_json_it_is_an_array_of_just_so_many() {
        let long = Long::<f64, 36>(array::from_fn(|at| at as f64 / 4.0));
        let text = serde_json::to_string(&long).unwrap();
        assert_eq!(serde_json::from_str::<Long<f64, 36>>(&text).unwrap(), long);
        assert!(serde_json::from_str::<Long<f64, 37>>(&text).unwrap_err().to_string().contains("length 36"));
        assert!(serde_json::from_str::<Long<f64, 35>>(&text).is_err(), "one too many");
    }
}
