//! The fenced code blocks of a Markdown text.

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBlock {
    /// What stands after the opening fence: `yaml`, `shell`; "" for none.
    pub language: String,
    /// The heading of the first level above it; "" for none.
    pub chapter: String,
    /// Its lines, without the indentation of the fence.
    pub text: String,
}

impl CodeBlock {
    /// Whether it is YAML.
    pub fn is_yaml(&self) -> bool {
        matches!(self.language.as_str(), "yaml" | "yml")
    }
}

/// The blocks of a text, in order. One that is never closed goes on to the end.
pub fn code_blocks(text: &str) -> Vec<CodeBlock> {
    let mut blocks = Vec::new();
    let mut chapter = String::new();
    let mut open: Option<(usize, CodeBlock)> = None;
    for line in text.lines() {
        let inner = line.trim_start();
        match &mut open {
            Some(_) if inner.starts_with("```") => blocks.extend(open.take().map(|open| open.1)),
            Some((indent, block)) => {
                let own = line.len() - line.trim_start_matches(' ').len();
                block.text.push_str(line.get(own.min(*indent)..).unwrap_or_default());
                block.text.push('\n');
            }
            None => {
                if let Some(heading) = line.strip_prefix("# ") {
                    chapter = heading.trim().to_owned();
                }
                if let Some(language) = inner.strip_prefix("```") {
                    let language = language.trim().to_owned();
                    let chapter = chapter.clone();
                    let block = CodeBlock { language, chapter, text: String::new() };
                    open = Some((line.len() - inner.len(), block));
                }
            }
        }
    }
    blocks.extend(open.map(|open| open.1));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_their_language_and_chapter() {
        let text =
            "# One\n```sh\n$ a\n```\n- x\n  ```yml\n  k: v\n    n: 1\n  ```\n# Two\n```\nopen\n";
        let blocks = code_blocks(text);
        let seen: Vec<_> = blocks
            .iter()
            .map(|block| (block.language.as_str(), block.chapter.as_str(), block.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [("sh", "One", "$ a\n"), ("yml", "One", "k: v\n  n: 1\n"), ("", "Two", "open\n")]
        );
    }
}
