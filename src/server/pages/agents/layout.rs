//! Where agents and the handoffs between them are drawn: in layers, so that work flows from left to right. Pure, and
//! the same for the same input.

/// Who hands how much to whom; agents by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) volume: i64,
}

/// One agent's box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// One flow's line: points in the order of travel, each joined to the next by a curve that begins and ends level.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) points: Vec<(f64, f64)>,
    /// Where its label stands: the middle of the one of a line to oneself, else the end.
    pub(super) label: (f64, f64),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) places: Vec<Place>,
    pub(super) lines: Vec<Line>,
}

/// Room between two layers: lines turn in it, and then go level for as long as a label needs.
const BETWEEN_LAYERS: f64 = 206.0;
/// How long they go level before a layer. No two of them cross there, so that a label is on no other line.
const LABEL: f64 = 118.0;
/// Between a label and the box behind it: for the head of an arrow.
const HEAD: f64 = 17.0;
/// Room between two boxes of a layer; of a layer with many, less.
const BETWEEN_BOXES: f64 = 34.0;
const BETWEEN_MANY: f64 = 12.0;
/// So many are many.
const MANY: usize = 12;
/// What a line needs that passes a layer, or ends at a box.
const LINE: f64 = 26.0;
/// The least height of a box.
const LEAST_HEIGHT: f64 = 44.0;
/// Room around all.
const MARGIN: f64 = 28.0;
/// How far a line to oneself goes out.
const LOOP: f64 = 34.0;
/// Rounds of putting each layer in the order of its neighbours.
const ROUNDS: usize = 8;

/// A thing in a layer: a box, or the place where a line passes.
#[derive(Clone, Debug)]
struct Item {
    layer: usize,
    width: f64,
    height: f64,
    y: f64,
    before: Vec<usize>,
    after: Vec<usize>,
}

/// Places agents with boxes of these widths.
pub(super) fn layout(widths: &[f64], flows: &[Flow]) -> Layout {
    let layers = layers(widths.len(), flows);
    let mut items: Vec<Item> = widths
        .iter()
        .zip(&layers)
        .map(|(&width, &layer)| Item { layer, width, height: LEAST_HEIGHT, y: 0.0, before: vec![], after: vec![] })
        .collect();
    // The chain of items from left to right that each line goes along.
    let chains: Vec<Vec<usize>> = flows.iter().map(|flow| chain(&mut items, flow)).collect();
    for item in &mut items[..widths.len()] {
        let ends = item.before.len().max(item.after.len());
        item.height = LEAST_HEIGHT.max(ends as f64 * LINE + 8.0);
    }
    let mut rows = rows(&items);
    order(&items, &mut rows);
    stack(&mut items, &rows);

    let columns: Vec<f64> =
        rows.iter().map(|row| row.iter().map(|&item| items[item].width).fold(0.0, f64::max)).collect();
    let lefts: Vec<f64> = columns
        .iter()
        .scan(MARGIN, |left, width| {
            let here = *left;
            *left += width + BETWEEN_LAYERS;
            Some(here)
        })
        .collect();
    let top = items.iter().map(|item| item.y).fold(f64::INFINITY, f64::min);
    let loops = flows.iter().any(|flow| flow.from == flow.to);
    let shift = MARGIN + if loops { LOOP } else { 0.0 } - if top.is_finite() { top } else { 0.0 };
    for item in &mut items {
        item.y += shift;
    }
    let places: Vec<Place> = items[..widths.len()]
        .iter()
        .map(|item| Place {
            x: lefts[item.layer] + (columns[item.layer] - item.width) / 2.0,
            y: item.y,
            width: item.width,
            height: item.height,
        })
        .collect();
    let ports = Ports::new(&items, &chains, flows);
    let lines = flows
        .iter()
        .zip(&chains)
        .enumerate()
        .map(|(at, (flow, chain))| line(at, flow, chain, &items, &places, &lefts, &columns, &ports))
        .collect();
    let width = lefts.last().zip(columns.last()).map_or(0.0, |(left, width)| left + width) + MARGIN;
    let height = items.iter().map(|item| item.y + item.height).fold(0.0, f64::max) + MARGIN;
    Layout { width, height, places, lines }
}

/// The layer of each agent: as far right as the longest way to it, where the fewest handoffs go back.
fn layers(count: usize, flows: &[Flow]) -> Vec<usize> {
    let rank = ranks(count, flows);
    let mut layers = vec![0; count];
    let mut by_rank: Vec<usize> = (0..count).collect();
    by_rank.sort_by_key(|&agent| rank[agent]);
    for &agent in &by_rank {
        for flow in flows.iter().filter(|flow| flow.from != flow.to) {
            let (left, right) =
                if rank[flow.from] < rank[flow.to] { (flow.from, flow.to) } else { (flow.to, flow.from) };
            if left == agent {
                layers[right] = layers[right].max(layers[left] + 1);
            }
        }
    }
    layers
}

/// An order of the agents against which little goes: sinks to the end, sources to the front, and of the others first
/// who hands over the most beyond what it gets (Eades, Lin and Smyth's rule).
fn ranks(count: usize, flows: &[Flow]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..count).collect();
    let (mut front, mut back) = (Vec::new(), Vec::new());
    while !left.is_empty() {
        let sum = |agent: usize, out: bool| -> i64 {
            flows
                .iter()
                .filter(|flow| flow.from != flow.to && left.contains(&flow.from) && left.contains(&flow.to))
                .filter(|flow| (if out { flow.from } else { flow.to }) == agent)
                .map(|flow| flow.volume.max(1))
                .sum()
        };
        let (next, to_back) = if let Some(source) = left.iter().copied().find(|&agent| sum(agent, false) == 0) {
            (source, false)
        } else if let Some(sink) = left.iter().copied().find(|&agent| sum(agent, true) == 0) {
            (sink, true)
        } else {
            let most =
                left.iter().copied().max_by_key(|&agent| (sum(agent, true) - sum(agent, false), usize::MAX - agent));
            (most.unwrap_or_default(), false)
        };
        left.retain(|&agent| agent != next);
        if to_back { back.push(next) } else { front.push(next) }
    }
    let mut ranks = vec![0; count];
    for (rank, agent) in front.into_iter().chain(back.into_iter().rev()).enumerate() {
        ranks[agent] = rank;
    }
    ranks
}

/// Joins the two boxes of a flow by way of the layers between them; gives the items along the way, left to right.
fn chain(items: &mut Vec<Item>, flow: &Flow) -> Vec<usize> {
    if flow.from == flow.to {
        return vec![flow.from];
    }
    let (left, right) =
        if items[flow.from].layer < items[flow.to].layer { (flow.from, flow.to) } else { (flow.to, flow.from) };
    let mut chain = vec![left];
    for layer in items[left].layer + 1..items[right].layer {
        items.push(Item { layer, width: 0.0, height: LINE, y: 0.0, before: vec![], after: vec![] });
        chain.push(items.len() - 1);
    }
    chain.push(right);
    for pair in chain.windows(2) {
        items[pair[0]].after.push(pair[1]);
        items[pair[1]].before.push(pair[0]);
    }
    chain
}

fn rows(items: &[Item]) -> Vec<Vec<usize>> {
    let count = items.iter().map(|item| item.layer + 1).max().unwrap_or(0);
    let mut rows = vec![Vec::new(); count];
    for (at, item) in items.iter().enumerate() {
        rows[item.layer].push(at);
    }
    rows
}

/// Puts each layer in the order of the mean place of what it is joined to, to and fro.
fn order(items: &[Item], rows: &mut [Vec<usize>]) {
    let mut place = vec![0.0; items.len()];
    let number = |row: &[usize], place: &mut Vec<f64>| {
        for (at, &item) in row.iter().enumerate() {
            place[item] = at as f64 - row.len() as f64 / 2.0;
        }
    };
    rows.iter().for_each(|row| number(row, &mut place));
    for round in 0..ROUNDS {
        let forward = round % 2 == 0;
        let turns: Vec<usize> = if forward { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for at in turns {
            let key = |item: &usize| {
                let near = if forward { &items[*item].before } else { &items[*item].after };
                mean(near.iter().map(|&other| place[other])).unwrap_or(place[*item])
            };
            let mut row = rows[at].clone();
            row.sort_by(|one, other| key(one).total_cmp(&key(other)));
            number(&row, &mut place);
            rows[at] = row;
        }
    }
}

/// Gives every item its height above the ground: near what it is joined to, and never over a neighbour.
fn stack(items: &mut [Item], rows: &[Vec<usize>]) {
    for row in rows {
        let mut y = 0.0;
        for &item in row {
            items[item].y = y;
            y += items[item].height + between(row);
        }
        let half = (y - between(row)) / 2.0;
        row.iter().for_each(|&item| items[item].y -= half);
    }
    for _ in 0..ROUNDS {
        for row in rows {
            let middle = |item: &Item| item.y + item.height / 2.0;
            let wanted: Vec<f64> = row
                .iter()
                .map(|&at| {
                    let item = &items[at];
                    let near = item.before.iter().chain(&item.after).map(|&other| middle(&items[other]));
                    mean(near).unwrap_or_else(|| middle(item)) - item.height / 2.0
                })
                .collect();
            let mut free = f64::NEG_INFINITY;
            let mut pushed = 0.0;
            for (&at, &wanted) in row.iter().zip(&wanted) {
                let y = wanted.max(free);
                items[at].y = y;
                pushed += y - wanted;
                free = y + items[at].height + between(row);
            }
            let back = pushed / row.len().max(1) as f64;
            row.iter().for_each(|&at| items[at].y -= back);
        }
    }
}

fn between(row: &[usize]) -> f64 {
    if row.len() < MANY { BETWEEN_BOXES } else { BETWEEN_MANY }
}

/// Where on its two boxes each line ends: by the height of where it goes next, so that lines do not cross at a box.
#[derive(Debug)]
struct Ports {
    left: Vec<f64>,
    right: Vec<f64>,
}

impl Ports {
    fn new(items: &[Item], chains: &[Vec<usize>], flows: &[Flow]) -> Self {
        let mut ports = Self { left: vec![0.0; chains.len()], right: vec![0.0; chains.len()] };
        let boxes = items.iter().enumerate().filter(|(_, item)| item.width > 0.0);
        for (at, item) in boxes {
            // Lines that leave to the right, then those that come from the left.
            for to_right in [true, false] {
                let mut ends: Vec<(f64, bool, usize)> = chains
                    .iter()
                    .enumerate()
                    .filter(|(_, chain)| chain.len() > 1)
                    .filter_map(|(line, chain)| {
                        let (end, next) = if to_right {
                            (chain[0], chain[1])
                        } else {
                            (chain[chain.len() - 1], chain[chain.len() - 2])
                        };
                        // Of two lines between the same boxes the one that goes right is above.
                        (end == at)
                            .then(|| (items[next].y + items[next].height / 2.0, flows[line].from != chain[0], line))
                    })
                    .collect();
                ends.sort_by(|one, other| {
                    one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)).then(one.2.cmp(&other.2))
                });
                let first = item.y + item.height / 2.0 - (ends.len() as f64 - 1.0) * LINE / 2.0;
                for (number, (.., line)) in ends.into_iter().enumerate() {
                    let y = first + number as f64 * LINE;
                    if to_right { ports.left[line] = y } else { ports.right[line] = y }
                }
            }
        }
        ports
    }
}

#[allow(clippy::too_many_arguments, reason = "all that was made before, for one line")]
fn line(
    at: usize,
    flow: &Flow,
    chain: &[usize],
    items: &[Item],
    places: &[Place],
    lefts: &[f64],
    columns: &[f64],
    ports: &Ports,
) -> Line {
    if let [only] = chain {
        let place = places[*only];
        let (middle, top) = (place.x + place.width / 2.0, place.y);
        let points = vec![(middle - 18.0, top), (middle, top - LOOP), (middle + 18.0, top)];
        return Line { points, label: (middle, top - LOOP - 6.0) };
    }
    let (first, last) = (places[chain[0]], places[chain[chain.len() - 1]]);
    let mut points = vec![(first.x + first.width, ports.left[at])];
    // A narrow box stands in the middle of its layer: the line goes level up to the layer's edge.
    points.push((lefts[items[chain[0]].layer] + columns[items[chain[0]].layer], ports.left[at]));
    for &item in &chain[1..chain.len() - 1] {
        let (item, y) = (&items[item], items[item].y + items[item].height / 2.0);
        points.push((lefts[item.layer] - LABEL, y));
        points.push((lefts[item.layer] + columns[item.layer], y));
    }
    points.push((lefts[items[chain[chain.len() - 1]].layer] - LABEL, ports.right[at]));
    points.push((last.x, ports.right[at]));
    points.dedup();
    let label = (last.x - HEAD, ports.right[at] - 5.0);
    if flow.from != chain[0] {
        points.reverse();
    }
    Line { points, label }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(from: usize, to: usize, volume: i64) -> Flow {
        Flow { from, to, volume }
    }

    /// Whether two boxes have a point in common.
    fn touch(one: &Place, other: &Place) -> bool {
        one.x < other.x + other.width
            && other.x < one.x + one.width
            && one.y < other.y + other.height
            && other.y < one.y + one.height
    }

    #[test]
    fn work_flows_from_left_to_right_and_what_little_goes_back_goes_back() {
        // A chain, and a few that go all the way back.
        let laid = layout(&[80.0; 4], &[flow(0, 1, 100), flow(1, 2, 90), flow(2, 3, 80), flow(3, 0, 2)]);
        let xs: Vec<f64> = laid.places.iter().map(|place| place.x).collect();
        assert!(xs.is_sorted(), "{xs:?}");
        let back = &laid.lines[3].points;
        assert!(back[0].0 > back[back.len() - 1].0, "{back:?}");
        // It passes the boxes between, and not through them.
        for place in &laid.places[1..3] {
            assert!(!back.iter().any(|&(x, y)| x >= place.x
                && x <= place.x + place.width
                && y > place.y
                && y < place.y + place.height));
        }
    }

    #[test]
    fn no_box_stands_on_another_and_all_is_within_the_picture() {
        let mut random = fastrand::Rng::with_seed(7);
        for agents in 1..24 {
            let flows: Vec<Flow> = (0..agents * 2)
                .map(|_| flow(random.usize(..agents), random.usize(..agents), random.i64(1..1_000)))
                .collect();
            let widths: Vec<f64> = (0..agents).map(|_| random.f64() * 160.0 + 60.0).collect();
            let laid = layout(&widths, &flows);
            for (at, one) in laid.places.iter().enumerate() {
                assert!(
                    one.x >= 0.0
                        && one.y >= 0.0
                        && one.x + one.width <= laid.width
                        && one.y + one.height <= laid.height
                );
                assert!(laid.places[at + 1..].iter().all(|other| !touch(one, other)), "{agents}: {flows:?}");
            }
            for (flow, line) in flows.iter().zip(&laid.lines) {
                assert!(line.points.iter().all(|(x, y)| x.is_finite() && y.is_finite()), "{flow:?} {line:?}");
            }
            assert_eq!(laid, layout(&widths, &flows), "the same again");
        }
    }

    #[test]
    fn two_ways_between_the_same_agents_are_two_lines() {
        let laid = layout(&[80.0; 2], &[flow(0, 1, 5), flow(1, 0, 4)]);
        assert_ne!(laid.lines[0].points[0].1, laid.lines[1].points[0].1);
        assert!((laid.lines[0].label.1 - laid.lines[1].label.1).abs() >= 20.0);
    }

    /// The parts of a line that go level: from, to, how high.
    fn level_parts(line: &Line) -> impl Iterator<Item = (f64, f64, f64)> {
        line.points.windows(2).filter(|pair| (pair[0].1 - pair[1].1).abs() < 0.05).map(|pair| {
            let (left, right) = (pair[0].0.min(pair[1].0), pair[0].0.max(pair[1].0));
            (left, right, pair[0].1)
        })
    }

    #[test]
    fn every_label_stands_on_its_own_line_and_on_no_other_however_many_there_are() {
        // One to a hundred, a hundred to one, and as many across.
        let mut flows: Vec<Flow> = (1..=100).flat_map(|at| [flow(0, at, 5), flow(at, 101, 3)]).collect();
        flows.extend((1..20).map(|at| flow(at, 0, 1)));
        let laid = layout(&[90.0; 102], &flows);
        let labels: Vec<(f64, f64)> = laid.lines.iter().map(|line| line.label).collect();
        for (at, line) in laid.lines.iter().enumerate() {
            let (x, y) = line.label;
            let own = level_parts(line).any(|(left, right, height)| left <= x - 90.0 && right >= x && height > y);
            assert!(own, "{line:?}");
            for (other, others) in laid.lines.iter().enumerate().filter(|(other, _)| *other != at) {
                let apart = (labels[other].0 - x).abs() > 118.0 || (labels[other].1 - y).abs() >= 14.0;
                assert!(apart, "{line:?} {others:?}");
                // No level part of another is within the letters.
                let on_it = level_parts(others)
                    .any(|(left, right, height)| left < x && right > x - 90.0 && (height - (y - 4.0)).abs() < 5.0);
                assert!(!on_it, "{line:?} {others:?}");
            }
        }
    }

    #[test]
    fn nobody_is_nothing() {
        let laid = layout(&[], &[]);
        assert!(laid.places.is_empty() && laid.width.is_finite() && laid.height.is_finite());
    }
}
