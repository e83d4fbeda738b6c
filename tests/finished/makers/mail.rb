# Writes messages with Ruby's mail.
require 'mail'

def make(name)
  mail = Mail.new do
    from 'Ann <ann@a.example>'
    to ['bo@b.example', 'Cy <cy@c.example>']
    subject 'Hello'
    date 'Thu, 1 Jan 2026 00:00:00 +0000'
    message_id '<ruby@a.example>'
    body "Hello\n.dot\n..\nno end"
  end
  yield mail
  File.binwrite("#{ARGV[0]}/ruby-#{name}.eml", mail.encoded)
end

make('text') { |m| }
make('bcc') { |m| m.bcc = (1..8).map { |i| "Secret #{i} <secret#{i}@b.example>" }; m['bcc'].include_in_headers = true rescue nil }
make('bcc-left-out') { |m| m.bcc = 'secret@b.example' }
make('dcc') { |m| m['Dcc'] = 'secret@b.example' }
make('resent') { |m| m['Resent-From'] = 'eve@e.example'; m['Resent-To'] = 'fay@f.example'; m['Resent-Bcc'] = 'secret@b.example' }
make('utf8') { |m| m.charset = 'UTF-8'; m.subject = 'Naïve résumé ' * 8; m.body = "Grüße 日本\n" * 4 }
make('8bit') { |m| m.charset = 'UTF-8'; m.body = "Grüße 日本\n" * 4; m.transport_encoding = '8bit'; m.content_transfer_encoding = '8bit' }
make('quoted') { |m| m.charset = 'UTF-8'; m.body = "Grüße\n" * 4; m.content_transfer_encoding = 'quoted-printable' }
make('parts') do |m|
  m.body = nil
  m.text_part = Mail::Part.new { body "one\n" }
  m.html_part = Mail::Part.new { content_type 'text/html; charset=UTF-8'; body '<p>Grüße</p>' }
  m.attachments['naïve.bin'] = "\x00\xFF".b * 300
end
make('inline') do |m|
  m.attachments.inline['a.png'] = "\x89PNG".b * 60
  m.html_part = Mail::Part.new { content_type 'text/html'; body '<img>' }
end
