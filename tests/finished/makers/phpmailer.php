<?php
// Writes messages with PHPMailer.
require '/usr/share/php/libphp-phpmailer/autoload.php';

use PHPMailer\PHPMailer\PHPMailer;

function make(string $name, callable $fill): void
{
    global $argv;
    $mail = new PHPMailer(true);
    $mail->Hostname = 'a.example';
    $mail->MessageDate = 'Thu, 1 Jan 2026 00:00:00 +0000';
    $mail->CharSet = 'UTF-8';
    $mail->setFrom('ann@a.example', 'Jörg Ann');
    $mail->addAddress('bo@b.example', 'Bo, the second');
    $mail->Subject = 'Grüße';
    $mail->Body = "Hello\n.dot\n..\n";
    $fill($mail);
    $mail->preSend();
    file_put_contents("$argv[1]/phpmailer-$name.eml", $mail->getSentMIMEMessage());
}

make('text', fn ($m) => null);
make('mail-mode', fn ($m) => $m->isMail());
make('bcc', function ($m) { $m->isSendmail(); $m->addBCC('secret@b.example'); $m->addBCC('other@b.example', 'Other'); });
make('smtp-bcc', function ($m) { $m->isSMTP(); $m->addBCC('secret@b.example'); });
foreach (['7bit', '8bit', 'quoted-printable', 'base64', 'binary'] as $encoding) {
    make($encoding, function ($m) use ($encoding) { $m->Encoding = $encoding; $m->Body = str_repeat("Grüße 日本\n", 4); });
}
make('long-line', fn ($m) => $m->Body = str_repeat('x', 2000));
make('html', function ($m) { $m->isHTML(); $m->Body = '<p>Grüße</p>'; $m->AltBody = 'Grüße'; });
make('attachment', function ($m) {
    $m->isHTML();
    $m->Body = '<img src="cid:logo">';
    $m->addStringEmbeddedImage(str_repeat("\x89PNG\0", 60), 'logo', 'logo.png');
    $m->addStringAttachment(str_repeat("\0\xff", 300), 'naïve.bin');
});
make('nobody', function ($m) { $m->clearAddresses(); $m->addBCC('secret@b.example'); });
