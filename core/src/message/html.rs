//! HTML: the text that is made from it, and pictures that it names.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use data_url::DataUrl;
use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token as Piece, Tokenizer};

use super::identity::random_hex;
use super::part::{Body, Part};
use super::source::Source;
use super::token::Message;
use crate::error::Error;

/// The columns of a text that is made from HTML: what RFC 5322 section 2.1.1 asks of lines.
const COLUMNS: usize = 78;

/// The most elements within each other: the time that a text takes grows with their square.
const DEPTH: usize = 1000;

/// Elements that have no end tag, or whose end tag may be left out (HTML, sections 13.1.2 and 13.1.2.4).
const ENDLESS: [&[u8]; 37] = [
    b"area",
    b"base",
    b"body",
    b"br",
    b"caption",
    b"col",
    b"colgroup",
    b"dd",
    b"dt",
    b"embed",
    b"head",
    b"hr",
    b"html",
    b"img",
    b"input",
    b"li",
    b"link",
    b"meta",
    b"optgroup",
    b"option",
    b"p",
    b"param",
    b"rp",
    b"rt",
    b"source",
    b"tbody",
    b"td",
    b"tfoot",
    b"th",
    b"thead",
    b"tr",
    b"track",
    b"wbr",
    b"frame",
    b"keygen",
    b"basefont",
    b"bgsound",
];

impl Message {
    /// The same content as text and as HTML, in UTF-8: `multipart/alternative`. The text is made from the HTML, in lines of 78
    /// columns, with the addresses of its links below it.
    ///
    /// ```
    /// # use smtpclient::Message;
    /// let mut message = Message::from_html("<p>Hello, <img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='></p>")?;
    /// assert_eq!(message.embed_pictures(None)?, 1);
    /// let text = String::from_utf8(message.to_bytes()?).unwrap();
    /// assert!(text.contains("\r\n\r\nHello,") && text.contains("<img src=\"cid:"));
    /// # Ok::<(), smtpclient::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for HTML of which no text can be made, as where more than 1000 elements are
    /// within each other.
    pub fn from_html(html: &str) -> Result<Self, Error> {
        if depth(html) > DEPTH {
            return Err(Error::usage(format!(
                "the HTML has more than {DEPTH} elements within each other, of which no text is made: give the text yourself, or end \
                 elements that are open"
            )));
        }
        let form = html2text::config::plain().no_table_borders().no_link_wrapping().allow_width_overflow();
        let text = form
            .string_from_read(html.as_bytes(), COLUMNS)
            .map_err(|error| Error::usage(format!("no text can be made from the HTML: {error}")))?;
        let mut message = Self::text(text.trim_matches('\n'));
        message.add_alternative_html(html)?;
        Ok(message)
    }

    /// Makes the pictures that the first HTML part shows parts of the message, and says how many: those that it names as
    /// `data:` URLs (RFC 2397), which most mail programs do not show, and, with a `folder`, those that it names as files
    /// below it. The HTML then names them as `cid:` (RFC 2392); the rest of it stays octet for octet. Pictures are what
    /// `src` of `<img>` and `<input>` and `background` of any element name; what is at any other URL is left alone. A
    /// file is opened when it is sent.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) if there is no HTML, or it is not UTF-8 in memory; for a `data:` URL that
    /// cannot be decoded; for a file that does not exist or is not below `folder`; and for a finished message. The message is
    /// then as before.
    pub fn embed_pictures(&mut self, folder: Option<&Path>) -> Result<usize, Error> {
        let mut whole = self.clone();
        let part = whole.composed_mut("a picture")?;
        let Some(body) = html_of(part) else {
            return Err(Error::usage("there is no HTML that could show a picture: add the HTML first"));
        };
        let html = match body {
            Source::Bytes(blob) => std::str::from_utf8(blob.bytes()).ok(),
            Source::File(_) | Source::Reader(_) => None,
        };
        let html = html.ok_or_else(|| Error::usage("pictures are found in HTML that is UTF-8 in memory"))?;
        let (html, pictures) = with_cids(html, folder)?;
        *body = Source::bytes(html.into_bytes());
        let count = pictures.len();
        for Picture { cid, content } in pictures {
            match content {
                Content::File(path) => whole.inline_file(path, Some(&cid))?,
                Content::Octets { name, media, octets } => {
                    whole.inline_bytes(&name, Some(&media), octets, Some(&cid))?
                }
            };
        }
        *self = whole;
        Ok(count)
    }
}

struct Picture {
    cid: String,
    content: Content,
}

enum Content {
    File(PathBuf),
    Octets { name: String, media: String, octets: Vec<u8> },
}

/// The body of the first HTML, which is where `Message::inline_file` puts pictures.
fn html_of(part: &mut Part) -> Option<&mut Source> {
    let (is_html, is_open) = (part.is("text/html"), !part.opaque);
    match &mut part.body {
        Body::Source(source) if is_html && is_open => Some(source),
        Body::Parts(parts) if is_open => {
            parts.iter_mut().find_map(|message| html_of(message.composed_mut("a picture").ok()?))
        }
        _ => None,
    }
}

/// The HTML with the Content-IDs of its pictures, and these, each once.
fn with_cids(html: &str, folder: Option<&Path>) -> Result<(String, Vec<Picture>), Error> {
    let mut pictures = Vec::new();
    let mut known: HashMap<String, String> = HashMap::new();
    let (mut written, mut end) = (String::with_capacity(html.len()), 0);
    for (place, url) in named(html) {
        let cid = match known.get(&url) {
            Some(cid) => cid.clone(),
            None => {
                let Some(content) = content(&url, folder, pictures.len() + 1)? else { continue };
                let cid = format!("{}@inline", random_hex()?);
                pictures.push(Picture { cid: cid.clone(), content });
                known.insert(url, cid.clone());
                cid
            }
        };
        written += html.get(end..place.start).unwrap_or_default();
        written += &format!("\"cid:{cid}\"");
        end = place.end;
    }
    written += html.get(end..).unwrap_or_default();
    Ok((written, pictures))
}

/// Tags and what stands between them, with their places: one kind of tokenizer for all uses, as each is 210 kB of code.
fn pieces(html: &str) -> impl Iterator<Item = Piece<usize>> {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    // What looks like a tag in a script or a style is not one.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).flatten()
}

/// How many elements are within each other, without those that may end by themselves.
fn depth(html: &str) -> usize {
    let (mut deep, mut deepest) = (0_usize, 0);
    for piece in pieces(html) {
        match piece {
            Piece::StartTag(tag) if !tag.self_closing && !ENDLESS.contains(&&**tag.name) => deep += 1,
            Piece::EndTag(tag) if !ENDLESS.contains(&&**tag.name) => deep = deep.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(deep);
    }
    deepest
}

/// The URLs of pictures, and where they are, with their quotes.
fn named(html: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for piece in pieces(html) {
        let Piece::StartTag(tag) = piece else { continue };
        let shows = matches!(&**tag.name, b"img" | b"input");
        for (name, value) in &tag.attributes {
            if !(shows && **name == b"src" || **name == b"background") {
                continue;
            }
            let range = value.span.start..value.span.end;
            let Some(place) = html.get(range.clone()).and_then(value_in) else { continue };
            let url = String::from_utf8_lossy(&value.value).trim_ascii().to_owned();
            found.push((range.start + place.start..range.start + place.end, url));
        }
    }
    found.sort_by_key(|(place, _)| place.start); // an element has them by their names
    found
}

/// Where the value is in `name = value`, with its quotes.
fn value_in(attribute: &str) -> Option<Range<usize>> {
    let after = attribute.find('=')? + 1;
    let rest = attribute.get(after..)?;
    let start = after + rest.len() - rest.trim_ascii_start().len();
    let value = attribute.get(start..)?;
    let length = match value.bytes().next()? {
        quote @ (b'"' | b'\'') => value.get(1..)?.find(char::from(quote))? + 2,
        _ => value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len()),
    };
    Some(start..start + length)
}

/// What a URL stands for; `None` if that is elsewhere.
fn content(url: &str, folder: Option<&Path>, number: usize) -> Result<Option<Content>, Error> {
    if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        return data(url, number);
    }
    let Some(folder) = folder else { return Ok(None) };
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    if url.is_empty() || url.starts_with("//") || url.starts_with('#') || scheme.is_some_and(is_scheme) {
        return Ok(None);
    }
    let name = url.split(['?', '#']).next().unwrap_or(url);
    let decoded = percent_encoding::percent_decode_str(name).decode_utf8();
    let relative = decoded.as_deref().map(Path::new).unwrap_or(Path::new(name));
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        let text = format!("the HTML shows {:?}, which is not a path below {}", shown(url), folder.display());
        return Err(Error::usage(text));
    }
    let path = folder.join(relative);
    if !path.is_file() {
        return Err(Error::usage(format!(
            "the HTML shows {:?}, which is not a file in {}",
            shown(url),
            folder.display()
        )));
    }
    // A symbolic link may lead anywhere, and the HTML may be somebody else's.
    let is_below = path.canonicalize().and_then(|path| Ok(path.starts_with(folder.canonicalize()?)));
    if !is_below.unwrap_or(false) {
        return Err(Error::usage(format!(
            "the HTML shows {:?}, which a symbolic link takes out of {}",
            shown(url),
            folder.display()
        )));
    }
    Ok(Some(Content::File(path)))
}

/// Enough of a URL to find it.
fn shown(url: &str) -> String {
    const SHOWN: usize = 200;
    let cut: String = url.chars().take(SHOWN).collect();
    if cut.len() < url.len() { cut + "..." } else { cut }
}

fn data(url: &str, number: usize) -> Result<Option<Content>, Error> {
    let start: String = url.chars().take(40).collect();
    let wrong = |what: String| Error::usage(format!("the HTML shows a data: URL {what}: {start:?}..."));
    let parsed = DataUrl::process(url).map_err(|error| wrong(format!("that is not one ({error})")))?;
    let media = parsed.mime_type();
    if media.type_ != "image" {
        return Ok(None);
    }
    let (octets, _) =
        parsed.decode_to_vec().map_err(|error| wrong(format!("that is not base64 ({error})")))?;
    // As image/png and image/svg+xml are called.
    let ending = media.subtype.split('+').next().unwrap_or_default();
    let name = format!("picture-{number}.{ending}");
    Ok(Some(Content::Octets { name, media: format!("image/{}", media.subtype), octets }))
}
