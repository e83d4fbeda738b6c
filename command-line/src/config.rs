//! The configuration file: accounts with options of the library by their names.

use std::io::Read;
use std::path::{Path, PathBuf};

use smtpclient::Options;
use smtpclient::options::{OptionInfo, OptionKind, all, find};
use smtpclient::server::servers;
use toml::{Table, Value};

use crate::flags::{is_tls, set_tls};
use crate::secrets;
use crate::status::Failure;

/// Where an account may be that the user's own file does not have.
#[cfg(unix)]
const SYSTEM: &str = "/etc/smtpclient.toml";
#[cfg(windows)]
const SYSTEM: &str = r"C:\ProgramData\smtpclient.toml";

/// A configuration is shorter.
const MOST: u64 = 1024 * 1024;

/// What an account says.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) options: Options,
    /// The author of messages that name none.
    pub(crate) from: Option<String>,
}

struct File {
    path: PathBuf,
    table: Table,
    /// Whether users who have no business with it can read it.
    open: bool,
}

/// The account of this name, else that which the first file names as `default`. Where there is no account, or servers are given in
/// place of one, no options at all: a login is for the servers of its account.
pub(crate) fn account(
    name: Option<&str>,
    file: Option<&Path>,
    has_servers: bool,
) -> Result<Account, Failure> {
    let has_own_servers = has_servers && name.is_none();
    if has_own_servers && file.is_none() {
        return Ok(Account::default());
    }
    let mut files = Vec::new();
    match file {
        Some(path) => files.push(read(path, false)?.ok_or_else(|| missing(path))?),
        None => {
            for path in users().into_iter().chain([SYSTEM.into()]) {
                files.extend(read(&path, true)?);
                // The system's file may be for others than this user, who does not need it.
                if let Some(name) = wanted(name, &files)?
                    && holder(&files, &name)?.is_some()
                {
                    break;
                }
            }
        }
    }
    let name = wanted(name, &files)?;
    if has_own_servers {
        return Ok(Account::default());
    }
    let Some(name) = name else {
        return match known(&files)?.as_slice() {
            [first, ..] => Err(Failure::config(format!(
                "no account is the default in {}: add `default = \"{first}\"`, give --account (one of {}) or --servers",
                where_from(&files, file),
                known(&files)?.join(", ")
            ))),
            _ => Ok(Account::default()),
        };
    };
    if let Some((file, account)) = holder(&files, &name)? {
        let Value::Table(keys) = account else {
            return Err(wrong(file, &format!("`account.{name}` must be a table")));
        };
        return read_account(file, &name, keys);
    }
    let known = known(&files)?;
    let known = match known.as_slice() {
        [] => "there is none".to_owned(),
        [one] => format!("the only one is {one}"),
        all => format!("there are {}", all.join(", ")),
    };
    Err(Failure::config(format!("there is no account {name:?} in {}: {known}", where_from(&files, file))))
}

/// The account that is asked for, else that which the first file names as `default`.
fn wanted(name: Option<&str>, files: &[File]) -> Result<Option<String>, Failure> {
    if let Some(name) = name {
        return Ok(Some(name.to_owned()));
    }
    match files.iter().find_map(|file| Some((file, file.table.get("default")?))) {
        None => Ok(None),
        Some((_, Value::String(name))) => Ok(Some(name.clone())),
        Some((file, _)) => Err(wrong(file, "`default` must be the name of an account")),
    }
}

/// The first file that has this account, and the account.
fn holder<'a>(files: &'a [File], name: &str) -> Result<Option<(&'a File, &'a Value)>, Failure> {
    for file in files {
        if let Some(account) = accounts(file)?.and_then(|all| all.get(name)) {
            return Ok(Some((file, account)));
        }
    }
    Ok(None)
}

/// The names of all accounts.
fn known(files: &[File]) -> Result<Vec<&str>, Failure> {
    let mut known = Vec::new();
    for file in files {
        known.extend(accounts(file)?.into_iter().flat_map(Table::keys).map(String::as_str));
    }
    Ok(known)
}

fn where_from(files: &[File], file: Option<&Path>) -> String {
    let paths: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
    match file {
        None if paths.is_empty() => users()
            .into_iter()
            .chain([SYSTEM.into()])
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(" or "),
        _ => paths.join(" or "),
    }
}

/// The user's own: `smtpclient/config.toml` in `$XDG_CONFIG_HOME`, or in `~/.config`; on Windows in `%APPDATA%`.
fn users() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = if cfg!(windows) {
        absolute("APPDATA")
    } else {
        absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))
    }?;
    Some(folder.join("smtpclient/config.toml"))
}

/// The file, where there is one. What is in a folder that this user may not enter is another user's, as after a daemon has
/// given up its rights and kept `HOME`. One that nobody named must be a file, which is its user's or the system's alone to write.
fn read(path: &Path, is_usual: bool) -> Result<Option<File>, Failure> {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let cannot = |error| Failure::config(format!("{}: {error}", path.display()));
    let meta = match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(None),
        Err(error) if error.kind() == PermissionDenied && is_usual => return Ok(None),
        meta => meta.map_err(cannot)?,
    };
    let refused = |why: &str| Failure::config(format!("{}: {why}", path.display()));
    if is_usual && !meta.is_file() {
        return Err(refused("that must be a file"));
    }
    if is_usual && is_anybodys(&meta) {
        return Err(refused(
            "others can write the file, and its commands are run: make it yours or root's, and chmod go-w",
        ));
    }
    let open = is_open(&meta);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MOST + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > MOST {
        return Err(refused("it is longer than a MiB"));
    }
    // The whole error would show the line, which may be that of a password.
    let table = text.parse::<Table>().map_err(|error| {
        let line =
            error.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count());
        Failure::config(format!("{}: line {}: {}", path.display(), line + 1, error.message()))
    })?;
    let file = File { path: path.to_owned(), table, open };
    match file.table.keys().find(|key| !matches!(key.as_str(), "default" | "account")) {
        Some(key) => Err(wrong(
            &file,
            &format!(
                "`{key}` is neither `default` nor `account`: options are in the table of an account, as [account.work]"
            ),
        )),
        None => Ok(Some(file)),
    }
}

/// Whether another user can write it, or owns it; root may. ssh has the same rule.
#[cfg(unix)]
fn is_anybodys(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    let is_own = meta.uid() == 0 || meta.uid() == rustix::process::geteuid().as_raw();
    !is_own || meta.mode() & 0o022 != 0
}

#[cfg(windows)]
fn is_anybodys(_: &std::fs::Metadata) -> bool {
    false
}

/// A group that root gives a file to may read it, as it may not write it.
#[cfg(unix)]
fn is_open(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    let others = if meta.uid() == 0 { 0o004 } else { 0o044 };
    meta.mode() & others != 0
}

/// A file is as its folder there, and that of a user is open to the user alone.
#[cfg(windows)]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

fn accounts(file: &File) -> Result<Option<&Table>, Failure> {
    match file.table.get("account") {
        None => Ok(None),
        Some(Value::Table(all)) => Ok(Some(all)),
        Some(_) => Err(wrong(file, "accounts are tables, as [account.work]")),
    }
}

fn read_account(file: &File, name: &str, keys: &Table) -> Result<Account, Failure> {
    let mut account = Account::default();
    let told = |error: &str| wrong(file, &format!("account {name}: {error}"));
    for (key, value) in keys {
        if key == "from" {
            account.from = Some(text_of(value).ok_or_else(|| told("`from` must be a text"))?);
        } else if key == "tls" {
            let how = text_of(value).unwrap_or_default();
            if !is_tls(&how) {
                let text = format!("`tls` is {how:?}: it must be \"no\", \"try\", \"require\" or \"first\"");
                return Err(told(&text));
            }
            set_tls(&mut account.options, &how);
        } else if let Some(secret) = secret_of(key) {
            let command = text_of(value).ok_or_else(|| told(&format!("`{key}` must be a text")))?;
            let secret_value = secrets::of_command(key, &command).map_err(|failure| told(&failure.text))?;
            account.options.set_octets(secret, secret_value.expose()).map_err(|error| told(error.text()))?;
        } else {
            set(file, &mut account.options, key, value).map_err(|failure| told(&failure))?;
        }
    }
    servers(&account.options).map_err(|error| told(error.text()))?;
    Ok(account)
}

/// The option whose value the command of a key like `passwordcommand` prints.
fn secret_of(key: &str) -> Option<&'static str> {
    let name = key.strip_suffix("command")?;
    all().find(|option| option.name == name && option.kind == OptionKind::Secret).map(|option| option.name)
}

fn set(file: &File, options: &mut Options, key: &str, value: &Value) -> Result<(), String> {
    let option = find(key).map_err(|error| error.text().to_owned())?;
    let is_secret = |value: &Value| match text_of(value) {
        Some(text) => secrets::hides(option, &text) || has_private_key(option, &text),
        None => option.kind == OptionKind::Secret,
    };
    let has_secret = match value {
        Value::Array(all) => all.iter().any(is_secret),
        one => is_secret(one),
    };
    if file.open && has_secret {
        let path = file.path.display();
        let group =
            if file.path == Path::new(SYSTEM) { " (640, with a group of those who may send)" } else { "" };
        let or = match option.kind {
            OptionKind::Secret => format!("`{key}command`"),
            OptionKind::Signature => "`keyfile=` there".to_owned(),
            _ => "`passwordcommand`".to_owned(),
        };
        return Err(format!(
            "others can read the file, and `{key}` with it: chmod 600 {path}{group}, or use {or}"
        ));
    }
    let each = |value: &Value| {
        text_of(value)
            .ok_or_else(|| format!("`{key}` must be a text, a number, true or false, or a list of them"))
    };
    let told = |error: smtpclient::Error| error.text().to_owned();
    match value {
        Value::Array(all) if option.kind.adds() => {
            all.iter().try_for_each(|value| options.set(key, &each(value)?).map_err(told))
        }
        Value::Array(all) => {
            let separator = if option.kind == OptionKind::Addresses { ", " } else { " " };
            let all: Vec<String> = all.iter().map(each).collect::<Result<_, _>>()?;
            options.set(key, &all.join(separator)).map_err(told)
        }
        value => options.set_octets(key, each(value)?.as_bytes()).map_err(told),
    }
}

/// Of a signature whose key stands there, and not the name of its file.
fn has_private_key(option: &OptionInfo, value: &str) -> bool {
    let tags = value.split(';').filter_map(|tag| tag.split_once('='));
    option.kind == OptionKind::Signature && tags.into_iter().any(|(name, _)| name.trim() == "key")
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn missing(path: &Path) -> Failure {
    Failure::config(format!("{}: there is no such file", path.display()))
}

fn wrong(file: &File, text: &str) -> Failure {
    Failure::config(format!("{}: {text}", file.path.display()))
}
