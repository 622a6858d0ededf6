use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Problem;

/// One permit stands for this many bytes.
const UNIT: usize = 1_024;

/// Bounds the bytes of all bodies that are in memory at once.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    permits: Arc<Semaphore>,
    longest: usize,
}

/// A body, unpacked, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) body: Bytes,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Gate {
    pub(super) fn new(longest: usize, in_flight: usize) -> Self {
        let permits = (in_flight.max(longest) / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), longest }
    }

    /// Reads a body, and unpacks it if it is packed. Room is taken as it grows, so that a length that is not told, or not
    /// true, is bounded too.
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Admitted, Problem> {
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if told.is_some_and(|told| told > self.longest) {
            return Err(self.too_long());
        }
        let packed = match headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes()) {
            None | Some(b"identity" | b"") => false,
            Some(b"gzip") => true,
            Some(other) => {
                let other = String::from_utf8_lossy(other).into_owned();
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    format!("content-encoding {other} is not known: send gzip, or none"),
                ));
            }
        };
        let mut room = vec![self.room(told.unwrap_or(0))?];
        let mut has_room_for = told.unwrap_or(0);
        let mut whole = BytesMut::with_capacity(has_room_for);
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| Problem::bad(format!("the body broke off: {error}")))?;
            if whole.len() + part.len() > self.longest {
                return Err(self.too_long());
            }
            if whole.len() + part.len() > has_room_for {
                room.push(self.room(part.len())?);
                has_room_for += part.len();
            }
            whole.extend_from_slice(&part);
        }
        if !packed {
            return Ok(Admitted { body: whole.freeze(), _room: room });
        }
        let mut unpacked = Vec::with_capacity(whole.len() * 4);
        let mut source = flate2::read::MultiGzDecoder::new(&whole[..]).take(self.longest as u64 + 1);
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read =
                source.read(&mut chunk).map_err(|error| Problem::bad(format!("the body is no gzip: {error}")))?;
            if read == 0 {
                break;
            }
            room.push(self.room(read)?);
            unpacked.extend_from_slice(&chunk[..read]);
            if unpacked.len() > self.longest {
                return Err(self.too_long());
            }
        }
        Ok(Admitted { body: unpacked.into(), _room: room })
    }

    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.permits)
            .try_acquire_many_owned(units)
            .map_err(|_| Problem::overloaded("overloaded: too many requests at once; send again later"))
    }

    fn too_long(&self) -> Problem {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is over the limit of {} bytes: send fewer spans at once", self.longest),
        )
    }
}
