# server.pl BASE PORT 0|1: Net::Server::Mail on 127.0.0.1, with extensions (0) or without (1).
use strict;
use warnings;
use IO::Socket::INET;
use Net::Server::Mail::ESMTP;

my ( $base, $port, $bare ) = @ARGV;
my %refused = ( bad => $ENV{refused}, later => $ENV{later}, full => $ENV{full} );
my $serial  = 0;

$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new( LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128, ReuseAddr => 1 )
  or die "port $port: $@";
while ( 1 ) {
    my $client = $listener->accept or next;
    my $child = fork;
    die "fork: $!" if !defined $child;
    if ( !$child ) {
        close $listener;
        serve($client);
        exit;
    }
    close $client;
}

sub serve {
    my $server = Net::Server::Mail::ESMTP->new( socket => shift );
    if ( !$bare ) {
        $server->register("Net::Server::Mail::ESMTP::$_") for qw(PIPELINING 8BITMIME);
    }
    $server->set_callback( banner => sub { ( 1, 220, "$ENV{host} ESMTP Net::Server::Mail" ) } );
    $server->set_callback( RCPT => \&recipient );
    $server->set_callback( DATA => \&keep );
    $server->process;
}

sub recipient {
    my ( undef, $address ) = @_;
    for ( keys %refused ) {
        return ( 0, $1, $2 ) if $address =~ /^$_/ && $refused{$_} =~ /^(\d+) (.*)/;
    }
    return 1;
}

# The octets as they came, for each recipient.
sub keep {
    my ( $server, $data ) = @_;
    for ( $server->get_recipients ) {
        my ($local) = /^([^@]*)/;
        my $box = "$base/mail/" . ( $local =~ /^(user|a|b|c)$/ ? $local : 'other' );
        my $name = join '.', $$, ++$serial;
        mkdir for $box, "$box/new";
        open my $file, '>:raw', "$box/$name" or return ( 0, 451, "4.3.0 $!" );
        print {$file} $$data;
        close $file or return ( 0, 451, "4.3.0 $!" );
        rename "$box/$name", "$box/new/$name" or return ( 0, 451, "4.3.0 $!" );
    }
    return ( 1, 250, '2.0.0 OK stored' );
}
