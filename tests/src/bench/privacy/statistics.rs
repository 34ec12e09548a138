//! A study of clinics: five members make a key of which three suffice, clinics contribute numbers and ten bins, the sums
//! are added up, opened and published. Beside it the same sums in the clear.

use anyhow::{Context as _, Result, ensure};
use chartseal_statistics::collection::{Closed, Collection};
use chartseal_statistics::committee::{Ceremony, CommitteeKey, Dealing, Dealt, Holder, MemberKey, Seat, Setup};
use chartseal_statistics::contribution::{Ciphertext, ClinicKey, Contribution};
use chartseal_statistics::decryption::{Answered, DecryptionShare, check_opened, combine};
use chartseal_statistics::publication::{Entry, Publication};
use chartseal_statistics::statistics::Statistics;
use chartseal_statistics::study::{Study, Summary};
use rayon::prelude::*;

use super::stopwatch::Stopwatch;
use super::{Line, Part};

/// Members of the committee, ...
const MEMBERS: u8 = 5;
/// ... and how many of them open a total.
const THRESHOLD: u8 = 3;
/// Clinics of a study.
const CLINICS: u16 = 100;
/// Contributions that are added up, the most of them.
const MANY: u16 = 1_000;
/// The sums in the clear are too short for a clock.
const TIMES: u32 = 1_000;

pub(super) fn measure(stopwatch: &Stopwatch) -> Result<Vec<Line>> {
    let count = |case: &str, value| Line::count(Part::Statistics, case, "bytes", value);
    let one = |case: &str, runs| Line::ms(Part::Statistics, case, 1, runs);

    let committee = Committee::new()?;
    let mut lines = vec![one(
        "make the committee's key, all five members",
        stopwatch.one(Committee::new)?,
    )];
    let study = committee.study();
    let summaries: Vec<Summary> = (0..MANY).map(|clinic| summary(&study, clinic)).collect::<Result<_>>()?;
    let seal = || entry(&study, 0, &summaries[0]);
    lines.push(one("make a contribution", stopwatch.one(seal)?));
    let entries = stopwatch.on_all(|| seal_all(&study, &summaries))?;
    let contribution = &entries[0].contribution;
    lines.push(count("contribution", borsh::object_length(contribution)?));
    let verify = || Ok(contribution.verify(&study)?);
    lines.push(one("verify a contribution", stopwatch.one(verify)?));

    for many in [CLINICS, MANY] {
        let (entries, summaries) = (&entries[..many.into()], &summaries[..many.into()]);
        let accept = || close(&study, entries);
        lines.push(one(
            &format!("verify and add {many} contributions"),
            stopwatch.one(accept)?,
        ));
        let add = || added(&study, entries);
        lines.push(one(
            &format!("add {many} contributions, without verifying"),
            stopwatch.one(add)?,
        ));
        let clear = || {
            std::hint::black_box(in_the_clear(std::hint::black_box(summaries)));
            Ok(())
        };
        let case = format!("add {many} summaries in the clear");
        lines.push(one(&case, stopwatch.one_of(TIMES, clear)?).of_peer());
    }

    let entries = &entries[..CLINICS.into()];
    let closed = close(&study, entries)?;
    let share = || committee.share(0, &closed);
    lines.push(one("a member's share", stopwatch.one(share)?));
    lines.push(count("share", borsh::object_length(&share()?)?));
    let shares = committee.shares(&closed)?;
    let key = &committee.key;
    let finish = || Ok(combine(&closed, key, &shares)?);
    lines.push(one(
        "open the total of 100 by three shares, logarithms included",
        stopwatch.one(finish)?,
    ));
    let numbers = finish()?;
    let check = || Ok(check_opened(&closed, key, &shares, &numbers)?);
    lines.push(one("check that it was opened to these numbers", stopwatch.one(check)?));

    let (publication, statistics) = committee.publish(entries, &closed, shares)?;
    ensure!(
        is_clear(&statistics, &summaries[..CLINICS.into()]),
        "the published sums are not those of the clear numbers"
    );
    lines.push(count("transcript of 100 clinics", publication.to_bytes()?.len()));
    lines.push(one(
        "verify the transcript of 100 clinics",
        stopwatch.one(|| Ok(publication.verify()?))?,
    ));
    let whole = || whole_study(&summaries[..CLINICS.into()]);
    lines.push(one("100 clinics from the key to the transcript", stopwatch.one(whole)?));
    let whole = Line::ms(
        Part::Statistics,
        "100 clinics from the key to the transcript",
        stopwatch.cores(),
        stopwatch.all(whole)?,
    );
    lines.push(whole);
    Ok(lines)
}

/// Everything, once.
fn whole_study(summaries: &[Summary]) -> Result<Statistics> {
    let committee = Committee::new()?;
    let study = committee.study();
    let entries = seal_all(&study, summaries)?;
    let closed = close(&study, &entries)?;
    let shares = committee.shares(&closed)?;
    let (_, statistics) = committee.publish(&entries, &closed, shares)?;
    Ok(statistics)
}

struct Committee {
    ceremony: Ceremony,
    key: CommitteeKey,
    members: Vec<MemberKey>,
}

impl Committee {
    /// All rounds of all members.
    fn new() -> Result<Self> {
        let seats: Vec<Seat> = (0..MEMBERS).map(|_| Seat::new()).collect::<Result<_, _>>()?;
        let setup = Setup {
            committee: [1; 16],
            epoch: 1,
            threshold: THRESHOLD,
            members: seats.iter().map(Seat::public).collect(),
        };
        let dealings: Vec<Dealing> = (1..=MEMBERS)
            .map(|member| Dealing::new(&setup, member))
            .collect::<Result<_, _>>()?;
        let promises: Vec<_> = dealings.iter().map(Dealing::promise).collect();
        let revealed: Vec<_> = dealings
            .iter()
            .map(|dealing| dealing.reveal(&promises))
            .collect::<Result<_, _>>()?;
        let (reveals, sealed): (Vec<_>, Vec<_>) = revealed.into_iter().unzip();
        let dealt = Dealt::check(&setup, &promises, &reveals)?;
        let mut holders = Vec::new();
        for (place, (seat, member)) in seats.iter().zip(1..).enumerate() {
            let sent: Vec<_> = sealed.iter().filter_map(|shares| shares.get(place).cloned()).collect();
            holders.push(Holder::receive(&dealt, seat, member, &sent)?);
        }
        let products: Vec<_> = holders
            .iter()
            .map(|holder| holder.product(&dealt))
            .collect::<Result<_, _>>()?;
        let opened = dealt.open(&products)?;
        let key_shares: Vec<_> = holders
            .iter()
            .map(|holder| holder.key_share(&opened))
            .collect::<Result<_, _>>()?;
        let key = opened.finish(&key_shares)?;
        let members = holders
            .into_iter()
            .map(|holder| holder.finish(&key))
            .collect::<Result<_, _>>()?;
        let ceremony = Ceremony {
            setup,
            promises,
            reveals,
            products,
            key_shares,
        };
        Ok(Self { ceremony, key, members })
    }

    fn study(&self) -> Study {
        Study {
            id: [2; 16],
            epoch: 1,
            bounds: vec![0, 40, 60, 80, 100, 120, 140, 160, 200, 1000],
            minimum: 3,
            committee: self.key.id(),
            key: self.key.public,
            noise: None,
        }
    }

    fn share(&self, member: usize, closed: &Closed) -> Result<DecryptionShare> {
        let member = self.members.get(member).context("there is no such member")?;
        Ok(member.decrypt(closed, &mut Answered::default())?)
    }

    /// Of as many as suffice.
    fn shares(&self, closed: &Closed) -> Result<Vec<DecryptionShare>> {
        (0..THRESHOLD.into()).map(|member| self.share(member, closed)).collect()
    }

    fn publish(
        &self,
        entries: &[Entry],
        closed: &Closed,
        shares: Vec<DecryptionShare>,
    ) -> Result<(Publication, Statistics)> {
        Ok(Publication::new(
            self.ceremony.clone(),
            entries.to_vec(),
            closed,
            shares,
        )?)
    }
}

/// What a clinic's laboratory measured: up to 2,000 numbers around 100. The same in every run.
fn summary(study: &Study, clinic: u16) -> Result<Summary> {
    let mut random = fastrand::Rng::with_seed(clinic.into());
    let count = random.usize(1..2_000);
    let observations: Vec<u16> = (0..count).map(|_| (0..8).map(|_| random.u16(..26)).sum()).collect();
    Ok(Summary::of(study, &observations)?)
}

/// By as many threads as there are here.
fn seal_all(study: &Study, summaries: &[Summary]) -> Result<Vec<Entry>> {
    let clinics: Vec<_> = (0..).zip(summaries).collect();
    clinics
        .into_par_iter()
        .map(|(clinic, summary)| entry(study, clinic, summary))
        .collect()
}

fn entry(study: &Study, clinic: u16, summary: &Summary) -> Result<Entry> {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&clinic.to_be_bytes());
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).context("the system gives no random bytes")?;
    let contribution = Contribution::seal(study, id, &ClinicKey::new()?, summary)?;
    Ok(Entry {
        promise: contribution.promise(study, &salt),
        salt,
        contribution,
    })
}

/// Takes every contribution, all of whose proofs it verifies.
fn close(study: &Study, entries: &[Entry]) -> Result<Closed> {
    let mut collection = Collection::new(study.clone())?;
    for entry in entries {
        collection.promise(entry.contribution.clinic, entry.promise)?;
    }
    collection.begin_showing()?;
    for entry in entries {
        collection.accept(&entry.salt, &entry.contribution)?;
    }
    Ok(collection.close()?)
}

/// How many points were added, which are read from their bytes first.
fn added(study: &Study, entries: &[Entry]) -> Result<usize> {
    let mut points = 0;
    for place in 0..study.limbs() {
        let of_all = || {
            entries
                .iter()
                .filter_map(|entry| entry.contribution.ciphertexts.get(place))
        };
        for part in [|of: &Ciphertext| of.commitment, |of: &Ciphertext| of.handle] {
            let mut total = None;
            for point in of_all().map(part) {
                let point = point.open()?;
                total = Some(total.map_or(point, |total| total + point));
                points += 1;
            }
            std::hint::black_box(total);
        }
    }
    Ok(points)
}

/// The sums: how many, their sum, the squares', the bins.
fn in_the_clear(summaries: &[Summary]) -> (u64, u64, u64, Vec<u64>) {
    let mut sums = (
        0,
        0,
        0,
        vec![0; summaries.first().map_or(0, |summary| summary.bins.len())],
    );
    for summary in summaries {
        sums.0 += u64::from(summary.count);
        sums.1 += u64::from(summary.sum);
        sums.2 += summary.squares;
        for (sum, bin) in sums.3.iter_mut().zip(&summary.bins) {
            *sum += u64::from(*bin);
        }
    }
    sums
}

fn is_clear(statistics: &Statistics, summaries: &[Summary]) -> bool {
    let (count, sum, squares, bins) = in_the_clear(summaries);
    let equal = |published: i128, clear: u64| published == i128::from(clear);
    equal(statistics.count.into(), count)
        && equal(statistics.sum.into(), sum)
        && equal(statistics.squares, squares)
        && statistics.bins.len() == bins.len()
        && statistics
            .bins
            .iter()
            .zip(bins)
            .all(|(bin, clear)| equal((*bin).into(), clear))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_publishes_the_clear_sums() {
        let study = Committee::new().unwrap().study();
        let summaries: Vec<_> = (0..3).map(|clinic| summary(&study, clinic).unwrap()).collect();
        let statistics = whole_study(&summaries).unwrap();
        assert!(is_clear(&statistics, &summaries));
        assert!(!is_clear(&statistics, &summaries[..2]));
    }

    #[test]
    fn every_point_of_every_contribution_is_added() {
        let study = Committee::new().unwrap().study();
        let entries = seal_all(&study, &[summary(&study, 0).unwrap(), summary(&study, 1).unwrap()]).unwrap();
        assert_eq!(added(&study, &entries).unwrap(), 2 * 2 * study.limbs());
    }
}
