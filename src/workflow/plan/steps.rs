//! Which steps are new, other or gone. A step with an id is known by it; one without, whose address
//! moves when another is put before it, by what it says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Change, SettingChange, Settings, StepOutline, setting_changes};

/// What becomes of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepChange {
    /// New, other or gone.
    pub change: Change,
    /// Its address.
    pub address: String,
    /// Its address before, where that was another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_before: Option<String>,
    /// `call http.post`, `if`, …
    pub step: String,
    /// What it says otherwise, of one that stays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingChange>,
}

/// The steps that change, and the blocks whose steps are done in another order.
pub(super) fn changes(before: &[StepOutline], after: &[StepOutline]) -> (Vec<StepChange>, Vec<String>) {
    let (old, new) = (Blocks::of(before), Blocks::of(after));
    let roots: BTreeSet<&str> = old.roots.iter().chain(&new.roots).copied().collect();
    let mut open: Vec<(&str, &str)> = roots.into_iter().map(|root| (root, root)).collect();
    let (mut found, mut reordered) = (Vec::new(), Vec::new());
    while let Some((from, to)) = open.pop() {
        let paired = pair(old.steps(from), new.steps(to));
        if !paired.in_order() {
            reordered.push(to.to_owned());
        }
        for Pair { before, after } in paired.pairs {
            match (before, after) {
                (Some((_, before)), Some((_, after))) => {
                    found.extend(changed(before, after));
                    open.extend(old.inside(before, &new, after));
                }
                (Some((_, gone)), None) => {
                    found.push(whole(Change::Removed, gone));
                    open.extend(old.inside_of(gone).map(|(_, block)| (block, NOWHERE)));
                }
                (None, Some((_, added))) => {
                    found.push(whole(Change::Added, added));
                    open.extend(new.inside_of(added).map(|(_, block)| (NOWHERE, block)));
                }
                (None, None) => {}
            }
        }
    }
    let place = |steps: &[StepOutline], address: &str| steps.iter().position(|step| step.address == address).unwrap_or(usize::MAX);
    found.sort_by_cached_key(|change| match change.change {
        Change::Added | Change::Changed => (0, place(after, &change.address)),
        Change::Removed => (1, place(before, &change.address)),
    });
    reordered.sort();
    (found, reordered)
}

/// No address has a slash at its end.
const NOWHERE: &str = "/";

fn whole(change: Change, step: &StepOutline) -> StepChange {
    StepChange { change, address: step.address.clone(), address_before: None, step: words(step), settings: Vec::new() }
}

fn changed(before: &StepOutline, after: &StepOutline) -> Option<StepChange> {
    let settings = setting_changes(&said(before), &said(after));
    (!settings.is_empty()).then(|| StepChange {
        change: Change::Changed,
        address: after.address.clone(),
        address_before: Some(before.address.clone()).filter(|address| *address != after.address),
        step: words(after),
        settings,
    })
}

fn words(step: &StepOutline) -> String {
    step.call.as_ref().map_or_else(|| step.kind.clone(), |call| format!("{} {call}", step.kind))
}

/// Everything that a step says.
fn said(step: &StepOutline) -> Settings {
    let own = [("kind", Some(&step.kind)), ("call", step.call.as_ref()), ("using", step.using.as_ref())];
    let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.clone())));
    step.settings.clone().into_iter().chain(own).collect()
}

/// Steps by the block that they stand in.
struct Blocks<'s> {
    steps: BTreeMap<&'s str, Vec<&'s StepOutline>>,
    /// By the address of the step that a block belongs to.
    inside: BTreeMap<&'s str, Vec<&'s str>>,
    /// Blocks of the workflow itself.
    roots: Vec<&'s str>,
}

impl<'s> Blocks<'s> {
    fn of(all: &'s [StepOutline]) -> Self {
        let addresses: BTreeSet<&str> = all.iter().map(|step| step.address.as_str()).collect();
        let mut steps: BTreeMap<&str, Vec<&StepOutline>> = BTreeMap::new();
        for step in all {
            steps.entry(split(&step.address).0).or_default().push(step);
        }
        let (mut inside, mut roots): (BTreeMap<&str, Vec<&str>>, Vec<&str>) = (BTreeMap::new(), Vec::new());
        for block in steps.keys().copied() {
            // A loop's block has the address of the loop; others have one segment more.
            match [block, split(block).0].into_iter().find(|owner| addresses.contains(owner)) {
                Some(owner) => inside.entry(owner).or_default().push(block),
                None => roots.push(block),
            }
        }
        Self { steps, inside, roots }
    }

    fn steps(&self, block: &str) -> &[&'s StepOutline] {
        self.steps.get(block).map(Vec::as_slice).unwrap_or_default()
    }

    /// A step's own blocks: what each is called in it, and its address.
    fn inside_of(&self, step: &'s StepOutline) -> impl Iterator<Item = (&'s str, &'s str)> {
        let blocks = self.inside.get(step.address.as_str()).map(Vec::as_slice).unwrap_or_default();
        blocks.iter().map(|block| (block.strip_prefix(step.address.as_str()).unwrap_or(block), *block))
    }

    /// The blocks of two steps, those of one name together.
    fn inside(&self, before: &'s StepOutline, other: &Self, after: &'s StepOutline) -> Vec<(&'s str, &'s str)> {
        let mut named: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for (name, block) in self.inside_of(before) {
            named.entry(name).or_insert((NOWHERE, NOWHERE)).0 = block;
        }
        for (name, block) in other.inside_of(after) {
            named.entry(name).or_insert((NOWHERE, NOWHERE)).1 = block;
        }
        named.into_values().collect()
    }
}

/// The block of an address, and its last segment.
fn split(address: &str) -> (&str, &str) {
    address.rsplit_once('/').unwrap_or(("", address))
}

/// A step and its place in its block.
type Placed<'s> = (usize, &'s StepOutline);

struct Pair<'s> {
    before: Option<Placed<'s>>,
    after: Option<Placed<'s>>,
}

struct Paired<'s> {
    pairs: Vec<Pair<'s>>,
}

impl Paired<'_> {
    /// Whether the steps that stay follow each other as they did.
    fn in_order(&self) -> bool {
        let mut places: Vec<(usize, usize)> = self.pairs.iter().filter_map(|pair| Some((pair.before?.0, pair.after?.0))).collect();
        places.sort_unstable();
        places.is_sorted_by_key(|(_, after)| *after)
    }
}

/// Finds for each step the one that it was: by id; then, among those without, what is the same from the
/// beginning and the end on; then what says the same, calls the same, is of the same kind.
fn pair<'s>(before: &[&'s StepOutline], after: &[&'s StepOutline]) -> Paired<'s> {
    let mut left: Vec<Placed<'s>> = before.iter().copied().enumerate().collect();
    let mut open: Vec<Placed<'s>> = after.iter().copied().enumerate().collect();
    let mut pairs = Vec::new();
    let mut join = |before, after| pairs.push(Pair { before: Some(before), after: Some(after) });
    let same_id = |a: &StepOutline, b: &StepOutline| has_id(a) && split(&a.address).1 == split(&b.address).1;
    let equal = |a: &StepOutline, b: &StepOutline| !has_id(a) && !has_id(b) && said(a) == said(b);
    let same_call = |a: &StepOutline, b: &StepOutline| !has_id(a) && !has_id(b) && words(a) == words(b);
    let same_kind = |a: &StepOutline, b: &StepOutline| !has_id(a) && !has_id(b) && a.kind == b.kind;
    matching(&mut left, &mut open, &same_id, &mut join);
    while let (Some(a), Some(b)) = (left.first().copied(), open.first().copied())
        && equal(a.1, b.1)
    {
        join(left.remove(0), open.remove(0));
    }
    while let (Some(a), Some(b)) = (left.last().copied(), open.last().copied())
        && equal(a.1, b.1)
    {
        left.pop();
        open.pop();
        join(a, b);
    }
    matching(&mut left, &mut open, &equal, &mut join);
    matching(&mut left, &mut open, &same_call, &mut join);
    matching(&mut left, &mut open, &same_kind, &mut join);
    pairs.extend(left.into_iter().map(|step| Pair { before: Some(step), after: None }));
    pairs.extend(open.into_iter().map(|step| Pair { before: None, after: Some(step) }));
    Paired { pairs }
}

fn has_id(step: &StepOutline) -> bool {
    !split(&step.address).1.bytes().all(|byte| byte.is_ascii_digit())
}

/// Joins each open step with the first one left that fits.
fn matching<'s>(
    left: &mut Vec<Placed<'s>>,
    open: &mut Vec<Placed<'s>>,
    fits: &dyn Fn(&StepOutline, &StepOutline) -> bool,
    join: &mut dyn FnMut(Placed<'s>, Placed<'s>),
) {
    open.retain(|(place, step)| match left.iter().position(|(_, other)| fits(other, step)) {
        Some(found) => {
            join(left.remove(found), (*place, step));
            false
        }
        None => true,
    });
}
