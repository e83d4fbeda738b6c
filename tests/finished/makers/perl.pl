# Writes messages with MIME::Entity, MIME::Lite, Email::MIME, Email::Stuffer and Mail::Message.
use strict;
use warnings;
use MIME::Entity;
use MIME::Lite;
use Email::MIME;
use Email::Stuffer;
use Mail::Message;
use Encode;

my $corpus = shift;
sub keep {
    my ($name, $text) = @_;
    open my $file, '>:raw', "$corpus/perl-$name.eml" or die;
    print $file $text;
    close $file;
}
my @head = (From => 'Ann <ann@a.example>', To => 'bo@b.example', Subject => 'Hello', Date => 'Thu, 1 Jan 2026 00:00:00 +0000');
my $utf8 = encode('UTF-8', "Gr\x{fc}\x{df}e \x{65e5}\x{672c}\n");
my $octets = join '', map { chr } 0 .. 255;

keep('mime-entity-text', MIME::Entity->build(@head, Bcc => 'secret@b.example', Data => ["Hello\n", ".dot\n", "no end"])->stringify);
for my $encoding (qw(7bit 8bit binary quoted-printable base64)) {
    keep("mime-entity-$encoding", MIME::Entity->build(@head, Charset => 'utf-8', Encoding => $encoding, Data => $utf8)->stringify);
}
my $entity = MIME::Entity->build(@head, Type => 'multipart/mixed', Cc => 'cy@c.example', Bcc => 'secret@b.example');
$entity->attach(Data => "one\n");
$entity->attach(Data => $octets, Type => 'image/png', Encoding => 'base64', Filename => 'a.png');
$entity->attach(Data => $utf8, Type => 'text/html; charset=utf-8', Encoding => 'quoted-printable');
$entity->preamble(["A preamble.\n"]);
$entity->epilogue(["An epilogue.\n"]);
keep('mime-entity-mixed', $entity->stringify);
$entity->head->replace('Bcc', join ', ', map { "Secret $_ <secret$_\@b.example>" } 1 .. 20);
$entity->head->fold(60);
keep('mime-entity-folded', $entity->stringify);
$entity->sync_headers(Length => 'COMPUTE');
keep('mime-entity-length', $entity->stringify);

keep('mime-lite-text', MIME::Lite->new(@head, Bcc => 'secret@b.example', Data => "Hello\n.dot\n")->as_string);
keep('mime-lite-8bit', MIME::Lite->new(@head, Type => 'text/plain; charset=utf-8', Encoding => '8bit', Data => $utf8)->as_string);
my $lite = MIME::Lite->new(@head, Type => 'multipart/related', Cc => 'cy@c.example');
$lite->attach(Type => 'text/html', Data => "<img src='cid:a'>");
$lite->attach(Type => 'image/gif', Id => 'a', Data => $octets, Encoding => 'base64');
keep('mime-lite-related', $lite->as_string);

keep('email-mime-text', Email::MIME->create(header => [@head], body => "Hello\n.dot\n")->as_string);
for my $encoding (qw(7bit 8bit quoted-printable base64)) {
    keep("email-mime-$encoding", Email::MIME->create(
        header_str => [@head[0 .. 3], Subject => "Na\x{ef}ve " x 12, Bcc => 'secret@b.example'],
        attributes => { charset => 'UTF-8', encoding => $encoding, content_type => 'text/plain' },
        body_str => $encoding eq '7bit' ? "ASCII\n" : "Gr\x{fc}\x{df}e \x{65e5}\x{672c}\n" x 3)->as_string);
}
keep('email-mime-parts', Email::MIME->create(header => [@head], parts => [
    Email::MIME->create(attributes => { content_type => 'text/plain' }, body => "one\n"),
    Email::MIME->create(attributes => { content_type => 'application/octet-stream', encoding => 'base64', filename => 'x' }, body => $octets)])->as_string);

keep('email-stuffer', Email::Stuffer->from('ann@a.example')->to('bo@b.example')->bcc('secret@b.example')->subject("Gr\x{fc}n")
    ->text_body("Gr\x{fc}\x{df}e\n")->html_body("<p>Gr\x{fc}\x{df}e</p>")->attach($octets, filename => 'a.bin')->email->as_string);

keep('mail-message', Mail::Message->build(@head, Bcc => 'secret@b.example', data => "Hello\n.dot\n")->string);
keep('mail-message-parts', Mail::Message->build(@head, data => "one\n",
    attach => Mail::Message::Body->new(data => $octets, mime_type => 'image/png', transfer_encoding => 'none')->encode(transfer_encoding => 'base64'))->string);
