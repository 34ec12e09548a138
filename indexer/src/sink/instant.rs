use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef},
};

/// A point in time as the chain counts it, in seconds since 1970, and as Postgres keeps it (`timestamptz`).
///
/// What lies outside of Postgres' calendar (4713 BC to AD 294276) is kept as `-infinity` or `infinity`: whoever makes a
/// grant writes any number there, and none may stop the indexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i64);

/// Seconds from 1970 to 2000, from where Postgres counts.
const POSTGRES_EPOCH: i64 = 946_684_800;
/// Beginning of 4714-11-24 BC and end of AD 294276, in seconds since 1970.
const CALENDAR: std::ops::Range<i64> = -210_866_803_200..9_224_318_016_000;
const MICROSECONDS: i64 = 1_000_000;

impl Instant {
    /// Seconds since 1970, or Postgres' word for what lies outside of its calendar.
    pub(crate) fn as_json(self) -> serde_json::Value {
        match self.to_postgres() {
            i64::MIN => "-infinity".into(),
            i64::MAX => "infinity".into(),
            _ => self.0.into(),
        }
    }

    /// Microseconds since 2000; the extremes stand for the infinities.
    fn to_postgres(self) -> i64 {
        match self.0 {
            seconds if seconds < CALENDAR.start => i64::MIN,
            seconds if seconds >= CALENDAR.end => i64::MAX,
            seconds => (seconds - POSTGRES_EPOCH) * MICROSECONDS,
        }
    }

    /// Whole seconds; the infinities are the extremes again.
    fn from_postgres(microseconds: i64) -> Self {
        match microseconds {
            i64::MIN | i64::MAX => Self(microseconds),
            microseconds => Self(microseconds.div_euclid(MICROSECONDS) + POSTGRES_EPOCH),
        }
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz")
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_timestamptz")
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'_, Postgres>>::encode(self.to_postgres(), buffer)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a timestamp came as text: only prepared queries read it".into());
        }
        Ok(Self::from_postgres(i64::from_be_bytes(value.as_bytes()?.try_into()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_come_back() {
        for seconds in [0, 1, -1, 946_684_800, 1_700_000_000, CALENDAR.start, CALENDAR.end - 1] {
            assert_eq!(Instant::from_postgres(Instant(seconds).to_postgres()), Instant(seconds));
        }
    }

    #[test]
    fn what_no_calendar_has_is_infinite() {
        for seconds in [i64::MAX, CALENDAR.end] {
            assert_eq!(Instant(seconds).to_postgres(), i64::MAX);
        }
        for seconds in [i64::MIN, CALENDAR.start - 1] {
            assert_eq!(Instant(seconds).to_postgres(), i64::MIN);
        }
    }
}
