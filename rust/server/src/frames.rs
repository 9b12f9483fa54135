//! Messages between their frames: a flag, a length, a message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::status::Refusal;

/// Bytes before a message.
pub const PREFIX: usize = 5;
/// What a message may have.
pub const MAX_MESSAGE: usize = 4 << 20;
/// What a message about one unit may have.
pub const MAX_SINGLE: usize = 256 << 10;

/// Takes messages apart as their bytes come.
#[derive(Debug, Default)]
pub struct Frames {
    /// What is not handed out yet. A request mostly comes in one piece, which is then never copied.
    held: Bytes,
    more: BytesMut,
}

impl Frames {
    /// Adds bytes.
    pub fn push(&mut self, bytes: Bytes) {
        if self.held.is_empty() && self.more.is_empty() {
            self.held = bytes;
            return;
        }
        // Where something is held, there is nothing more yet.
        let held = std::mem::take(&mut self.held);
        self.more.reserve(held.len() + bytes.len());
        self.more.extend_from_slice(&held);
        self.more.extend_from_slice(&bytes);
    }

    /// Returns the next message; none until there is one, whole.
    ///
    /// # Errors
    /// It has too many bytes, or is compressed.
    pub fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let head: &[u8] = if self.held.is_empty() {
            &self.more
        } else {
            &self.held
        };
        let Some((&[flag, a, b, c, d], rest)) = head.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if flag != 0 {
            let text = "compressed messages are not taken here; send them as they are";
            return Err(Refusal::new(12, "", text));
        }
        if length > MAX_MESSAGE {
            // In the words of the other server's library.
            let text =
                format!("SERVER: Received message larger than max ({length} vs. {MAX_MESSAGE})");
            return Err(Refusal::new(8, "", text));
        }
        if rest.len() < length {
            return Ok(None);
        }
        if self.held.is_empty() {
            self.more.advance(PREFIX);
            return Ok(Some(self.more.split_to(length).freeze()));
        }
        self.held.advance(PREFIX);
        Ok(Some(self.held.split_to(length)))
    }

    /// Returns whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.more.is_empty()
    }
}

/// Writes a message with what stands before it.
pub fn write(out: &mut BytesMut, message: &[u8]) {
    out.reserve(PREFIX + message.len());
    out.put_u8(0);
    // Answers are bounded far below.
    out.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    out.put_slice(message);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_wherever_they_are_cut() {
        let messages: [&[u8]; 4] = [b"one", b"", b"three", &[7; 300]];
        let mut sent = BytesMut::new();
        messages
            .iter()
            .for_each(|message| write(&mut sent, message));
        for step in 1..=sent.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in sent.chunks(step) {
                frames.push(Bytes::copy_from_slice(piece));
                while let Some(message) = frames.next().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, messages);
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn what_is_too_large_or_compressed_is_refused_before_it_is_there() {
        let refused = |bytes: &[u8]| {
            let mut frames = Frames::default();
            frames.push(Bytes::copy_from_slice(bytes));
            frames.next().unwrap_err().code
        };
        assert_eq!(refused(&[0, 0, 64, 0, 1]), 8);
        assert_eq!(refused(&[1, 0, 0, 0, 0]), 12);
    }
}
