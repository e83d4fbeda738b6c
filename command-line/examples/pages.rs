//! pages FOLDER: writes the manual pages and the completions of the shells, all made from the flags. Run by `make install`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use smtpclient_command::flags::{SHORT, command};
use smtpclient_command::sendmail::{FLAGS, Takes};
use smtpclient_command::status::STATUSES;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("pages FOLDER")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let version = format!("smtpclient {}", env!("CARGO_PKG_VERSION"));
    // The manual's heading is the place for it.
    let flags = command().version(env!("CARGO_PKG_VERSION")).after_long_help("");
    let man = Man::new(flags.clone())
        .title("smtpclient")
        .section("1")
        .date("")
        .source(version.clone())
        .manual("smtpclient");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    page.extend(SYNOPSIS.bytes());
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend(aliases().bytes());
    page.extend(VERIFY.bytes());
    page.extend(CONFIGURATION.bytes());
    page.extend(statuses().bytes());
    page.extend(MORE.bytes());
    fs::write(folder.join("smtpclient.1"), page)?;
    fs::write(folder.join("smtpclient-sendmail.1"), sendmail(&version))?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut flags.clone(), "smtpclient", folder)?;
    }
    let fish = folder.join("smtpclient.fish");
    fs::write(
        &fish,
        completed(&fs::read_to_string(&fish)?).ok_or("clap_complete writes another script for fish")?,
    )?;
    Ok(())
}

/// The script for fish, which completes the value of a flag that is the last word, too: to argparse such a flag is a mistake.
fn completed(script: &str) -> Option<String> {
    let parsed = "    argparse -s (__fish_smtpclient_global_optspecs) -- $cmd 2>/dev/null\n    or return\n";
    let again = "    argparse -s (__fish_smtpclient_global_optspecs) -- $cmd 2>/dev/null\n    \
                 or argparse -s (__fish_smtpclient_global_optspecs) -- $cmd[1..-2] 2>/dev/null\n    or return\n";
    script.contains(parsed).then(|| script.replacen(parsed, again, 1))
}

fn aliases() -> String {
    let each = |(name, short): &(&str, &str)| format!("\\fB\\-\\-{short}\\fR for \\fB\\-\\-{name}\\fR");
    format!(".PP\nShorter names: {}.\n", SHORT.iter().map(each).collect::<Vec<_>>().join(", "))
}

fn statuses() -> String {
    let mut out = String::from(".SH \"EXIT STATUS\"\nThose of sysexits.h.\n");
    for (number, name, meaning) in STATUSES {
        let _ = write!(out, ".TP\n\\fB{number}\\fR ({name})\n{}\n", roff(meaning));
    }
    out
}

fn sendmail(version: &str) -> String {
    let mut out = format!(".TH smtpclient-sendmail 1 \"\" \"{version}\" smtpclient\n{SENDMAIL}");
    for (letter, takes, help) in FLAGS {
        let value = match takes {
            Takes::Nothing => String::new(),
            Takes::Value(name) => format!(" \\fI{name}\\fR"),
            Takes::Perhaps(name) => format!("[\\fI{name}\\fR]"),
        };
        let _ = write!(out, ".TP\n\\fB\\-{letter}\\fR{value}\n{}\n", roff(help));
    }
    out.push_str(&statuses());
    out.push_str(".SH \"SEE ALSO\"\n\\fBsmtpclient\\fR(1), \\fBsendmail\\fR(8)\n");
    out
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('`', "")
}

const SYNOPSIS: &str = ".SH SYNOPSIS
.nf
\\fBsmtpclient\\fR [\\fIflag\\fR]... \\fB<\\fR \\fItext\\fR
\\fBsmtpclient\\fR [\\fIflag\\fR]... \\fIfile\\fR...
\\fBsmtpclient verify\\fR [\\fIflag\\fR]...
.fi
";

const VERIFY: &str = ".SH VERIFY
\\fBsmtpclient verify\\fR connects to every server, begins TLS, logs in, and says what each offers. It sends nothing. Its flags are those
that concern servers, TLS, logins and times.
";

const CONFIGURATION: &str = r#".SH CONFIGURATION
The user's file is read, and that of the system if it does not have the account: see FILES. An account is a table; its keys are the long names of the options above, and
\fBfrom\fR, \fBtls\fR and \fBpasswordcommand\fR (and \fBoauthtokencommand\fR, ...), a command for /bin/sh whose first line of output is the
secret; other secrets are taken as they stand. Flags come after the account, and replace what it says. With \fB\-\-servers\fR and without
\fB\-\-account\fR no account is used, so that no login goes to servers that are not its own.
.PP
.in +4n
.nf
default = "work"

[account.work]
servers = "submission://mail.example.org"
tls = "require"
from = "Ann <ann@example.org>"
username = "ann"
passwordcommand = "pass show mail/work"
.fi
.in
.PP
A secret in a file that others can read is an error: it must have mode 600, or, if it belongs to root, 640 with a group of those who may send.
"#;

const MORE: &str = r#".SH FILES
.TP
\fI$XDG_CONFIG_HOME/smtpclient/config.toml\fR, or \fI~/.config/smtpclient/config.toml\fR
The user's accounts.
.TP
\fI/etc/smtpclient.toml\fR
The system's.
.SH EXAMPLES
.nf
df -h | smtpclient --from ann@example.org --to bob@example.org --subject Disks
smtpclient --account work --attach report.pdf --body 'Here it is.' --to bob@example.org --subject Report
smtpclient --server submission://mail.example.org --username ann --password env:PASSWORD letters/*.eml
smtpclient verify --account work
ln -s "$(command -v smtpclient)" /usr/local/bin/sendmail && git config sendemail.smtpServer /usr/local/bin/sendmail
.fi
.SH "SEE ALSO"
\fBsmtpclient\-sendmail\fR(1), \fBlibsmtp\fR(3), \fBsmtp\fR(n)
"#;

const SENDMAIL: &str = r#".SH NAME
smtpclient\-sendmail \- smtpclient, called as sendmail
.SH SYNOPSIS
\fBsendmail\fR [\fIflag\fR]... [\fIrecipient\fR]... \fB<\fR \fImessage\fR
.SH DESCRIPTION
Where \fBsmtpclient\fR(1) is called as \fIsendmail\fR, as by a symbolic link of that name, it reads a message and sends it by the default account
of the configuration. There is no queue: it ends when it is known what became of the message, and a message that was not sent is not kept. Errors
are reported on standard error and by the exit status, not by mail. Addresses without a domain get that of option \fBdefaultdomain\fR, or the
host's name. The sender is that of \fB\-f\fR, or of the account, or of the message.
.SH OPTIONS
"#;
