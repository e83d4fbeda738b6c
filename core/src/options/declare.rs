//! The macro that makes fields, defaults and table out of one list of options.

/// A struct of options. For every option:
///
/// ```text
/// /// What it does.
/// name: Type = default, Kind, "the default in words", how function;
/// ```
///
/// Where `how` is `parse`, the function makes the value out of a text; an empty text takes the option back to its default.
/// `octets` does so out of bytes, and `octets_or_none` takes no bytes for a value too. `set` is given options and text, and does it all. `since "0.2.0"` may follow.
///
/// [`Part`](super::info::Part) finds the struct in [`Options`](super::Options). Fields after `and` and options after `without`
/// have one half only.
macro_rules! options {
    (
        $(#[$about:meta])*
        pub struct $name:ident, listed in $table:ident {
            $($group:ident {$(
                $(#[doc = $help:literal])+
                $field:ident: $type:ty = $default:expr, $kind:expr, $shown:literal, $how:ident $function:expr
                    $(, since $since:literal)?;
            )*})*
        }
        and {$(
            $(#[$more_about:meta])*
            $more_visibility:vis $more:ident: $more_type:ty = $more_default:expr;
        )*}
        without {$(
            $(#[doc = $bare_help:literal])+
            $bare:ident: $bare_group:ident, $bare_kind:expr, $bare_shown:literal, set $bare_function:expr
                $(, since $bare_since:literal)?;
        )*}
    ) => {
        $(#[$about])*
        pub struct $name {
            $($(
                $(#[doc = $help])+
                #[doc = concat!("\n\nDefault: ", $shown)]
                pub $field: $type,
            )*)*
            $(
                $(#[$more_about])*
                $more_visibility $more: $more_type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($($field: $default,)*)* $($more: $more_default,)* }
            }
        }

        pub(super) const $table: &[OptionInfo] = &[
            $($(OptionInfo {
                name: stringify!($field),
                kind: $kind,
                group: OptionGroup::$group,
                default: $shown,
                since: since!($($since)?),
                help: concat!($($help),+),
                setter: setter!($how, $name, $field, $default, $function),
                is_set: |options| Setting::is_set(&<$name as Part>::of(options).$field, &$default),
            },)*)*
            $(OptionInfo {
                name: stringify!($bare),
                kind: $bare_kind,
                group: OptionGroup::$bare_group,
                default: $bare_shown,
                since: since!($($bare_since)?),
                help: concat!($($bare_help),+),
                setter: Setter::Text($bare_function),
                is_set: |_| false,
            },)*
        ];
    };
}

/// What most options are there since.
macro_rules! since {
    () => {
        "0.1.0"
    };
    ($since:literal) => {
        $since
    };
}

macro_rules! setter {
    (parse, $part:ident, $field:ident, $default:expr, $function:expr) => {
        Setter::Text(|options, value| {
            <$part as Part>::of_mut(options).$field =
                if value.is_empty() { $default } else { ($function)(value)?.into() };
            Ok(())
        })
    };
    (octets, $part:ident, $field:ident, $default:expr, $function:expr) => {
        Setter::Octets(|options, value| {
            <$part as Part>::of_mut(options).$field =
                if value.is_empty() { $default } else { ($function)(value)?.into() };
            Ok(())
        })
    };
    (octets_or_none, $part:ident, $field:ident, $default:expr, $function:expr) => {
        Setter::Octets(|options, value| {
            <$part as Part>::of_mut(options).$field = ($function)(value)?.into();
            Ok(())
        })
    };
    (set, $part:ident, $field:ident, $default:expr, $function:expr) => {
        Setter::Text($function)
    };
}
