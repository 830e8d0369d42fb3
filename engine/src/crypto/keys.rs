//! The keys of a repository: one master secret, a key set for each dedup domain.

use aes_gcm_siv::aead::{Aead as _, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Key};

use super::{CryptoError, derive, random};
use crate::id::RepositoryId;
use crate::object::{Class, Identifier};
use crate::secret::Secret;

/// Seals a short secret under a long-lived key; returns nonce ‖ ciphertext ‖ tag.
pub(super) fn wrap(
    key: &[u8; 32],
    associated: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let nonce: [u8; 12] = random()?;
    let cipher = Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(*key));
    let sealed = cipher
        .encrypt(&nonce.into(), Payload { msg: plain, aad: associated })
        .map_err(|_| CryptoError::Random)?;
    Ok([&nonce[..], &sealed].concat())
}

/// Opens what [`wrap`] sealed.
pub(super) fn unwrap(
    key: &[u8; 32],
    associated: &[u8],
    sealed: &[u8],
    what: &'static str,
) -> Result<Vec<u8>, CryptoError> {
    let (nonce, sealed) = sealed.split_at_checked(12).ok_or(CryptoError::NotAuthentic { what })?;
    let mut number = [0; 12];
    number.copy_from_slice(nonce);
    Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(*key))
        .decrypt(&number.into(), Payload { msg: sealed, aad: associated })
        .map_err(|_| CryptoError::NotAuthentic { what })
}

/// The secret at the root of a repository's keys; a slot wraps it.
#[derive(Clone, Debug)]
pub struct MasterSecret(Secret<[u8; 32]>);

impl MasterSecret {
    /// A new one.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self(Secret::new(random()?)))
    }

    /// One that was unwrapped.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// For wrapping it.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Authenticates a configuration.
    pub fn config_mac(&self, line: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&derive("esker v1 config mac", &[self.0.expose()]), line).as_bytes()
    }

    fn domain_key(&self) -> Secret<[u8; 32]> {
        Secret::new(derive("esker v1 domain keys", &[self.0.expose()]))
    }

    fn domain_context(repository: RepositoryId, domain: Domain) -> Vec<u8> {
        [b"esker v1 domain", &repository.0[..], &domain.0.to_le_bytes()].concat()
    }

    /// Seals a domain's key set for the configuration.
    pub fn seal_domain(
        &self,
        repository: RepositoryId,
        domain: Domain,
        key_set: &Secret<String>,
    ) -> Result<Vec<u8>, CryptoError> {
        let context = Self::domain_context(repository, domain);
        wrap(self.domain_key().expose(), &context, key_set.expose().as_bytes())
    }

    /// Opens a domain's key set from the configuration.
    pub fn open_domain(
        &self,
        repository: RepositoryId,
        domain: Domain,
        sealed: &[u8],
    ) -> Result<Secret<String>, CryptoError> {
        let what = "key set of the domain";
        let context = Self::domain_context(repository, domain);
        let plain = unwrap(self.domain_key().expose(), &context, sealed, what)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| CryptoError::NotAuthentic { what })
    }
}

/// A slot's sealed bundle and the commitment to its key.
pub(crate) fn seal_slot(
    key: &Secret<[u8; 32]>,
    slot: &[u8],
    associated: &[u8],
    bundle: &Secret<String>,
) -> Result<(Vec<u8>, [u8; 32]), CryptoError> {
    let sealed = wrap(key.expose(), associated, bundle.expose().as_bytes())?;
    Ok((sealed, derive("esker v1 slot commitment", &[key.expose(), slot])))
}

/// Opens a slot's bundle; a wrong passphrase is told apart from damage by the commitment.
pub(crate) fn open_slot(
    key: &Secret<[u8; 32]>,
    slot: &[u8],
    associated: &[u8],
    sealed: &[u8],
    commitment: &[u8; 32],
) -> Result<Secret<String>, CryptoError> {
    let ours = blake3::Hash::from_bytes(derive("esker v1 slot commitment", &[key.expose(), slot]));
    if ours != blake3::Hash::from_bytes(*commitment) {
        return Err(CryptoError::OtherKey { what: "key slot" });
    }
    let plain = unwrap(key.expose(), associated, sealed, "key slot")?;
    String::from_utf8(plain)
        .map(Secret::new)
        .map_err(|_| CryptoError::NotAuthentic { what: "key slot" })
}

/// A dedup domain's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Domain(pub u32);

/// A key-encryption key: wraps the data keys of a class from an epoch on.
#[derive(Clone, Debug)]
pub struct Kek {
    /// What its data keys open.
    pub class: Class,
    /// Its epoch; new data keys take the highest.
    pub epoch: u32,
    pub(super) key: Secret<[u8; 32]>,
}

impl Kek {
    /// Takes a key from a key set.
    pub fn new(class: Class, epoch: u32, key: [u8; 32]) -> Self {
        Self { class, epoch, key: Secret::new(key) }
    }

    /// For storing it in a key set.
    pub fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }
}

/// The opened key set of a domain.
#[derive(Clone, Debug)]
pub struct DomainKeys {
    /// The repository it belongs to; bound into all that is sealed.
    pub repository: RepositoryId,
    /// The domain's number.
    pub domain: Domain,
    id_secret: Secret<[u8; 32]>,
    keks: Vec<Kek>,
}

impl DomainKeys {
    /// Fresh keys: an id secret and a key-encryption key of epoch 0 for each class.
    pub fn generate(repository: RepositoryId, domain: Domain) -> Result<Self, CryptoError> {
        let kek = |class| Ok(Kek::new(class, 0, random()?));
        let keks = vec![kek(Class::Meta)?, kek(Class::Data)?];
        Ok(Self::new(repository, domain, random()?, keks))
    }

    /// Takes the keys of a key set.
    pub fn new(
        repository: RepositoryId,
        domain: Domain,
        id_secret: [u8; 32],
        keks: Vec<Kek>,
    ) -> Self {
        Self { repository, domain, id_secret: Secret::new(id_secret), keks }
    }

    /// For storing it in a key set.
    pub fn id_secret(&self) -> &[u8; 32] {
        self.id_secret.expose()
    }

    /// For storing them in a key set.
    pub fn keks(&self) -> &[Kek] {
        &self.keks
    }

    fn derived(&self, context: &'static str) -> [u8; 32] {
        derive(context, &[self.id_secret.expose()])
    }

    /// Computes object ids.
    pub fn identifier(&self) -> Identifier {
        Identifier::new(
            self.derived("esker v1 meta object id"),
            self.derived("esker v1 data object id"),
        )
    }

    /// The key of the chunker's table.
    pub fn gear_key(&self) -> Secret<[u8; 32]> {
        Secret::new(self.derived("esker v1 gear table"))
    }

    /// The key of the trees' boundaries.
    pub fn boundary_key(&self) -> [u8; 32] {
        self.derived("esker v1 tree boundary")
    }

    /// The key for new data keys of a class.
    pub(super) fn newest(&self, class: Class) -> Result<&Kek, CryptoError> {
        let candidates = self.keks.iter().filter(|kek| kek.class == class);
        candidates.max_by_key(|kek| kek.epoch).ok_or_else(|| no_key(class, 0))
    }

    /// The key of a class and epoch.
    pub(super) fn of_epoch(&self, class: Class, epoch: u32) -> Result<&Kek, CryptoError> {
        let wanted = |kek: &&Kek| kek.class == class && kek.epoch == epoch;
        self.keks.iter().find(wanted).ok_or_else(|| no_key(class, epoch))
    }
}

fn no_key(class: Class, epoch: u32) -> CryptoError {
    let class = match class {
        Class::Meta => "meta",
        Class::Data => "data",
    };
    CryptoError::NoKey { epoch, class }
}
