//! Geometries.

use super::{ColumnKind, Values};
use crate::support::random::Random;

const POINTS: &[&str] = &["POINT(0 0)", "POINT(-1.5 1e300)", "POINT(12.25 -7)"];
const SHAPES: &[&str] = &[
    "POINT(1 2)",
    "LINESTRING(0 0, 1 1, 2 -3)",
    "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))",
    "MULTIPOINT(1 1, 2 2)",
    "MULTILINESTRING((0 0, 1 1), (2 2, 3 3))",
    "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))",
    "GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))",
];

/// The shapes that a column can hold.
#[derive(Debug)]
struct Geometry(&'static [&'static str]);

impl Values for Geometry {
    fn edges(&self) -> Vec<String> {
        let shapes = self.0.iter();
        shapes
            .map(|shape| format!("ST_GeomFromText('{shape}')"))
            .collect()
    }

    fn random(&self, random: &mut Random) -> String {
        format!("ST_GeomFromText('{}')", random.pick(self.0))
    }

    fn can_be_key(&self) -> bool {
        false
    }
}

/// The types of geometries.
pub(super) fn kinds() -> Vec<ColumnKind> {
    let mut kinds = vec![
        ColumnKind::new("POINT", Geometry(POINTS)),
        ColumnKind::new("GEOMETRY", Geometry(SHAPES)),
    ];
    for shape in &SHAPES[1..6] {
        let (name, _) = shape.split_once('(').unwrap();
        kinds.push(ColumnKind::new(name, Geometry(std::slice::from_ref(shape))));
    }
    kinds
}
