//! The tokens in force, and who was turned away.

use std::collections::HashMap;

use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};
use std::sync::Arc;

use crate::status::Refusal;

const SCHEME: &str = "Bearer ";
const PREFIX: usize = "sortition_".len();
const ID_END: usize = PREFIX + 16;
/// Kinds of denials that are told apart until somebody takes them; those of others are counted as left out.
const KINDS: usize = 256;
const ADVICE: &str = "send one as the metadata 'authorization: Bearer <token>'; clients take it from SORTITION_TOKEN_FILE";

/// What is kept of a token. Every role may do what is served here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Tells it from the others.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// The SHA-256 of the whole token.
    pub digest: [u8; 32],
    /// From when on it is refused, in milliseconds since 1970; none for never.
    pub expires_ms: Option<i64>,
}

/// A kind of denied call: the token's name, the method, the status, the reason, the caller's address.
pub type Denial = (String, String, &'static str, &'static str, String);

/// What asks each call for its token.
#[derive(Debug)]
pub struct Guard {
    held: RwLock<Arc<HashMap<String, Arc<Token>>>>,
    denials: Mutex<HashMap<Denial, u64>>,
}

impl Token {
    fn expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|at| at <= now_ms)
    }

    fn matches(&self, text: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        // As long for a digest that is wrong in its first byte as for one that is wrong in its last.
        let differs = digest
            .iter()
            .zip(&self.digest)
            .fold(0, |differs, (one, other)| differs | (one ^ other));
        std::hint::black_box(differs) == 0
    }
}

impl Guard {
    /// Makes a guard that knows `tokens`.
    pub fn new(tokens: Vec<Token>) -> Self {
        Self {
            held: RwLock::new(table(tokens)),
            denials: Mutex::default(),
        }
    }

    /// Replaces the tokens.
    pub fn replace(&self, tokens: Vec<Token>) {
        *self.held.write() = table(tokens);
    }

    /// Returns whether a token that was admitted may still be used.
    pub fn holds(&self, token: &Token, now_ms: i64) -> bool {
        let held = Arc::clone(&self.held.read());
        let known = held.get(&token.id);
        known.is_some_and(|known| known.digest == token.digest) && !token.expired(now_ms)
    }

    /// Returns the token in the header `authorization`.
    ///
    /// # Errors
    /// What the call ends with; it is noted.
    pub fn admit(
        &self,
        header: Option<&[u8]>,
        path: &str,
        peer: &str,
        now_ms: i64,
    ) -> Result<Arc<Token>, Refusal> {
        let Some(header) = header else {
            return Err(self.deny(
                "",
                path,
                peer,
                "no token",
                format!("a token is needed; {ADVICE}"),
            ));
        };
        let Some(token) = self.find(header) else {
            return Err(self.deny(
                "",
                path,
                peer,
                "not valid",
                format!("the token is not valid; {ADVICE}"),
            ));
        };
        if token.expired(now_ms) {
            let text = format!(
                "token '{}' has expired; see `sortition token create`",
                token.name
            );
            return Err(self.deny(&token.name, path, peer, "expired", text));
        }
        Ok(token)
    }

    fn find(&self, header: &[u8]) -> Option<Arc<Token>> {
        let text = std::str::from_utf8(header).ok()?.strip_prefix(SCHEME)?;
        let held = Arc::clone(&self.held.read());
        let token = held.get(text.get(PREFIX..ID_END)?)?;
        token.matches(text).then(|| Arc::clone(token))
    }

    fn deny(
        &self,
        name: &str,
        path: &str,
        peer: &str,
        why: &'static str,
        message: String,
    ) -> Refusal {
        let method = path.trim_start_matches('/').to_owned();
        let kind = (
            name.to_owned(),
            method,
            "UNAUTHENTICATED",
            why,
            peer.to_owned(),
        );
        let mut denials = self.denials.lock();
        if denials.len() < KINDS || denials.contains_key(&kind) {
            *denials.entry(kind).or_default() += 1;
        } else {
            let other = (
                String::new(),
                String::new(),
                "UNAUTHENTICATED",
                "left out",
                String::new(),
            );
            *denials.entry(other).or_default() += 1;
        }
        Refusal::new(16, "Unauthenticated", message)
    }

    /// Returns the denied calls since the last time, by their kind.
    pub fn take_denials(&self) -> Vec<(Denial, u64)> {
        self.denials.lock().drain().collect()
    }
}

fn table(tokens: Vec<Token>) -> Arc<HashMap<String, Arc<Token>>> {
    let held = tokens
        .into_iter()
        .map(|token| (token.id.clone(), Arc::new(token)));
    Arc::new(held.collect())
}
