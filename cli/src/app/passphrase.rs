//! From where a key comes to the key itself.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use esker_engine::repo::Unlock;
use esker_engine::secret::Secret;

use super::settings::{KeyNames, KeyOrigin, OWN_KEY};
use crate::error::CommandError;

/// The longest key file or passphrase file that is read.
const MAX_KEY_BYTES: u64 = /* 1 MiB */ 1024 * 1024;

/// Asks a person.
pub(crate) trait Ask {
    /// Asks for a passphrase without echo; `None` where nobody can be asked.
    fn passphrase(&self, prompt: &str) -> io::Result<Option<Secret<String>>>;
}

/// The key that opens a repository.
pub(crate) fn existing_key(
    origin: &KeyOrigin,
    names: &KeyNames,
    ask: &dyn Ask,
) -> Result<Unlock, CommandError> {
    match origin {
        KeyOrigin::KeyFile(path, named_by) => read_key_file(path, named_by),
        KeyOrigin::Terminal => asked(ask, names.prompt, names).map(Unlock::Passphrase),
        other => stated(other, names).map(Unlock::Passphrase),
    }
}

/// A key for a new repository, and the key file that was made for it.
pub(crate) struct NewKey {
    /// The key.
    pub(crate) unlock: Unlock,
    /// Its key file.
    pub(crate) file: Option<PathBuf>,
    /// True where this command made the file.
    pub(crate) is_new_file: bool,
}

impl NewKey {
    /// Removes a key file that was made for nothing.
    pub(crate) fn discard(&self) {
        if let Some(path) = self.file.as_ref().filter(|_| self.is_new_file) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The key of a repository that is about to be made: a key file is made where there is none.
pub(crate) fn new_key(origin: &KeyOrigin, ask: &dyn Ask) -> Result<NewKey, CommandError> {
    let passphrase = match origin {
        KeyOrigin::KeyFile(path, named_by) => return new_key_file(path, named_by),
        KeyOrigin::Terminal => {
            let first = asked(ask, "passphrase for the new repository: ", &OWN_KEY)?;
            let second = asked(ask, "the same again: ", &OWN_KEY)?;
            if first.expose() != second.expose() {
                return Err(CommandError::failed("the two passphrases differ")
                    .hint("run `esker init` again"));
            }
            first
        }
        other => stated(other, &OWN_KEY)?,
    };
    Ok(NewKey { unlock: Unlock::Passphrase(passphrase), file: None, is_new_file: false })
}

fn asked(ask: &dyn Ask, prompt: &str, names: &KeyNames) -> Result<Secret<String>, CommandError> {
    let nobody = || {
        let KeyNames { password, password_file, password_command, key_file, option, .. } = names;
        let whose = if *names == OWN_KEY { "" } else { " for the repository to copy from" };
        let what =
            format!("no key was given{whose}, and nobody can be asked: there is no terminal");
        CommandError::failed(what).hint(format!(
            "set `{password}`, `{password_file}`, `{password_command}` or `{key_file}`, or give `{option} FILE`"
        ))
    };
    match ask.passphrase(prompt) {
        Ok(Some(passphrase)) => not_empty(passphrase, "the passphrase"),
        Ok(None) => Err(nobody()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Err(CommandError::interrupted())
        }
        Err(error) => Err(nobody().caused_by(&error)),
    }
}

fn not_empty(passphrase: Secret<String>, what: &str) -> Result<Secret<String>, CommandError> {
    if passphrase.expose().is_empty() {
        return Err(CommandError::failed(format!("{what} is empty"))
            .hint("an empty passphrase protects nothing: choose one"));
    }
    Ok(passphrase)
}

/// A passphrase from a variable, file or command.
fn stated(origin: &KeyOrigin, names: &KeyNames) -> Result<Secret<String>, CommandError> {
    match origin {
        KeyOrigin::Variable(passphrase) => {
            not_empty(passphrase.clone(), &format!("the passphrase in `{}`", names.password))
        }
        KeyOrigin::PasswordFile(path) => {
            let what = format!("the passphrase in `{}`", path.display());
            not_empty(read_secret(path, names.password_file)?, &what)
        }
        KeyOrigin::PasswordCommand(command) => {
            let what = format!("the passphrase that `{}` prints", names.password_command);
            not_empty(run(command, names.password_command)?, &what)
        }
        KeyOrigin::KeyFile(..) | KeyOrigin::Terminal => {
            unreachable!("neither is a stated passphrase")
        }
    }
}

/// One line break at the end is the editor's, not the passphrase's.
fn passphrase_of(bytes: Vec<u8>) -> Option<Secret<String>> {
    let text = Secret::new(String::from_utf8(bytes).ok()?);
    Some(Secret::new(text.expose().trim_end_matches(['\r', '\n']).to_owned()))
}

fn read_secret(path: &Path, named_by: &str) -> Result<Secret<String>, CommandError> {
    let failed = || {
        let message = format!("cannot read `{}`, which {named_by} names", path.display());
        CommandError::failed(message)
    };
    let hint = format!("check the path: `ls -l {}`", path.display());
    let read = || {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(File::open(path)?, MAX_KEY_BYTES), &mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let bytes = read().map_err(|error| failed().caused_by(&error).hint(&hint))?;
    passphrase_of(bytes).ok_or_else(|| failed().hint("it is no text"))
}

fn run(command: &str, named_by: &str) -> Result<Secret<String>, CommandError> {
    let failed = || {
        CommandError::failed(format!("the command in `{named_by}` failed"))
            .hint(format!("try it: `{command}`"))
    };
    // What is piped into a backup is data, not for this command to read.
    let stdin = if io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() };
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(stdin)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed().caused_by(&error))?;
    if !output.status.success() {
        let cause = io::Error::other(format!("it ended with {}", output.status));
        return Err(failed().caused_by(&cause));
    }
    passphrase_of(output.stdout).ok_or_else(|| failed().hint("what it printed is no text"))
}

fn read_key_file(path: &Path, named_by: &str) -> Result<Unlock, CommandError> {
    let text = read_secret(path, named_by)?;
    Unlock::from_key_file(text.expose()).ok_or_else(|| {
        let message = format!("`{}` is no key file of Esker", path.display());
        CommandError::failed(message)
            .hint(format!("{named_by} must name a file that `esker init --key-file FILE` made"))
    })
}

fn new_key_file(path: &Path, named_by: &str) -> Result<NewKey, CommandError> {
    let file = Some(path.to_owned());
    if std::fs::symlink_metadata(path).is_ok() {
        let existing = read_key_file(path, named_by)
            .map_err(|error| error.hint("an existing file is not overwritten: name a new one"))?;
        return Ok(NewKey { unlock: existing, file, is_new_file: false });
    }
    let failed = || {
        let message = format!("cannot make the key file `{}`", path.display());
        CommandError::failed(message)
    };
    let (text, unlock) = Unlock::new_key_file().map_err(|error| failed().caused_by(&error))?;
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.expose().as_bytes())?;
        // The repository must not outlive its only key.
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| {
        failed()
            .caused_by(&error)
            .hint("name a file in a folder that you may write to: `--key-file FILE`")
    })?;
    Ok(NewKey { unlock, file, is_new_file: true })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Answers(std::cell::RefCell<Vec<&'static str>>);

    impl Ask for Answers {
        fn passphrase(&self, _: &str) -> io::Result<Option<Secret<String>>> {
            let answer = self.0.borrow_mut().pop();
            Ok(answer.map(|answer| Secret::new(answer.to_owned())))
        }
    }

    fn answers(answers: &[&'static str]) -> Answers {
        Answers(std::cell::RefCell::new(answers.iter().rev().copied().collect()))
    }

    fn passphrase(key: &Unlock) -> &str {
        match key {
            Unlock::Passphrase(passphrase) => passphrase.expose(),
            Unlock::KeyFile(_) => panic!("a key file"),
        }
    }

    #[test]
    fn a_new_passphrase_is_asked_for_twice_and_is_not_empty() {
        let ask = |given: &[&'static str]| new_key(&KeyOrigin::Terminal, &answers(given));
        assert_eq!(passphrase(&ask(&["a", "a"]).ok().unwrap().unlock), "a");
        assert!(ask(&["a", "b"]).is_err());
        assert!(ask(&["", ""]).is_err());
        let nobody = ask(&[]).err().unwrap();
        assert!(nobody.parts().2[0].contains("ESKER_PASSWORD"));
    }

    #[test]
    fn passphrases_come_from_files_and_commands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pass");
        std::fs::write(&path, "secret \n").unwrap();
        let none = answers(&[]);
        let key = existing_key(&KeyOrigin::PasswordFile(path), &OWN_KEY, &none).ok().unwrap();
        assert_eq!(passphrase(&key), "secret ");
        let command =
            |text: &str| existing_key(&KeyOrigin::PasswordCommand(text.into()), &OWN_KEY, &none);
        assert_eq!(passphrase(&command("echo x").ok().unwrap()), "x");
        assert!(command("echo x; exit 3").is_err());
        assert!(command("true").is_err());
        assert!(
            existing_key(&KeyOrigin::Variable(Secret::new(String::new())), &OWN_KEY, &none)
                .is_err()
        );
    }

    #[test]
    fn a_key_file_is_made_once_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let origin = |name: &str| KeyOrigin::KeyFile(folder.path().join(name), "--key-file");
        let none = answers(&[]);
        let made = new_key(&origin("key"), &none).ok().unwrap();
        assert!(made.is_new_file);
        let mode = std::fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = new_key(&origin("key"), &none).ok().unwrap();
        assert!(!again.is_new_file);
        again.discard();
        assert!(existing_key(&origin("key"), &OWN_KEY, &none).is_ok());
        std::fs::write(folder.path().join("other"), "my notes").unwrap();
        assert!(new_key(&origin("other"), &none).is_err());
        assert_eq!(std::fs::read(folder.path().join("other")).unwrap(), b"my notes");
        made.discard();
        assert!(existing_key(&origin("key"), &OWN_KEY, &none).is_err());
    }
}
