//! `naru-schemas FILE`: writes the schemas as JSON, for the page.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: naru-schemas FILE")?;
    if let Some(folder) = Path::new(&file).parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&file, serde_json::to_vec(&naru_schemas::json()?)?)?;
    Ok(())
}
