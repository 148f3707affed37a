//! Which file uses which: a path leads to the file in which its name is declared, also if
//! another file shows the name by `pub use`. Methods are not looked at, since their names
//! do not say whose they are; a file that calls one mostly names its type as well.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    imports::{Import, has_word, imports, written_out},
    text::code,
};

/// What uses what, by name.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// The place of a file in the tree of modules: `["time", "reminder"]`.
pub(crate) type Module = Vec<String>;

/// The files of a crate, without those of its root.
pub(crate) struct Files(BTreeMap<Module, File>);

struct File {
    imports: Vec<Import>,
    /// The code without them.
    rest: String,
}

impl Files {
    /// `texts`: the text of each module that has a file.
    pub(crate) fn new(texts: impl IntoIterator<Item = (Module, String)>) -> Self {
        let file = |text: String| {
            let (imports, rest) = imports(&code(&text));
            File { imports, rest }
        };
        Self(texts.into_iter().map(|(module, text)| (module, file(text))).collect())
    }

    /// Whom each file uses, `a/b` for the module `a::b`.
    pub(crate) fn graph(&self) -> Graph {
        let name = |module: &Module| module.join("/");
        let all = self.0.keys().map(|module| {
            let used = self.used(module);
            let used = used.iter().map(name).filter(|used| !used.is_empty());
            (name(module), used.filter(|used| *used != name(module)).collect())
        });
        all.collect()
    }

    /// Which rooms use which.
    pub(crate) fn rooms(&self) -> Graph {
        let room = |name: &str| name.split('/').next().unwrap_or(name).to_owned();
        let mut rooms = Graph::new();
        for (file, used) in self.graph() {
            let mine = room(&file);
            let others = used.iter().map(|used| room(used)).filter(|used| *used != mine);
            rooms.entry(mine.clone()).or_default().extend(others);
        }
        rooms
    }

    fn used(&self, module: &Module) -> BTreeSet<Module> {
        let File { imports, rest } = &self.0[module];
        let mut used = BTreeSet::new();
        for import in imports.iter().filter(|it| !it.is_public || has_word(rest, &it.name)) {
            // An import of a module alone uses nothing of it.
            let path = self.absolute(module, &import.path);
            used.extend(
                path.filter(|path| !self.0.contains_key(path)).map(|path| self.home(&path)),
            );
        }
        for mut path in written_out(rest) {
            let imported = imports.iter().find(|import| import.name == path[0]);
            if let Some(import) = imported {
                path.splice(..1, import.path.iter().cloned());
            }
            used.extend(self.absolute(module, &path).map(|path| self.home(&path)));
        }
        used
    }

    /// `path` from the root of the crate, as `module` means it; `None` if it leads out of
    /// the crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut from = module.clone();
        match &**first {
            // The program names the library.
            "crate" | "esp" => from.clear(),
            "self" => {}
            "super" => {
                from.pop();
                if rest.first().is_some_and(|part| part == "super") {
                    return self.absolute(&from, rest);
                }
            }
            child => {
                from.push(child.to_owned());
                if !self.0.contains_key(&from) {
                    return None;
                }
            }
        }
        from.extend_from_slice(rest);
        Some(from)
    }

    /// The file in which what `path` leads to is declared.
    fn home(&self, path: &[String]) -> Module {
        let is_module = |length: &usize| *length == 0 || self.0.contains_key(&path[..*length]);
        let length = (0..=path.len()).rev().find(is_module).unwrap_or_default();
        let (module, rest) = (path[..length].to_vec(), &path[length..]);
        let shown = rest.first().and_then(|name| {
            let imports = &self.0.get(&module)?.imports;
            let shown = imports.iter().find(|import| import.is_public && import.name == *name)?;
            self.absolute(&module, &shown.path)
        });
        match shown {
            Some(path) => self.home(&[&path, &rest[1..]].concat()),
            None => module,
        }
    }
}

/// A way from `node` back to itself.
pub(crate) fn circle(graph: &Graph, node: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![node.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in graph.get(way.last()?).into_iter().flatten() {
            if next == node {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next.clone());
                ways.push(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> Files {
        let module = |name: &str| name.split('/').map(str::to_owned).collect();
        Files::new(texts.iter().map(|(name, text)| (module(name), (*text).to_owned())))
    }

    fn circle_of(texts: &[(&str, &str)]) -> Option<String> {
        let graph = files(texts).graph();
        graph.keys().find_map(|file| circle(&graph, file)).map(|way| way.join(" "))
    }

    #[test]
    fn each_way_to_make_a_circle_is_found() {
        let uses_a = ("room/b", "use super::a::A;");
        for (text, how) in [
            ("use super::b::B;", "a sibling"),
            ("use crate::room::b::{B, c};", "from the root"),
            ("use crate::{\n    other::C,\n    room::b::B,\n};", "in a group"),
            ("use super::B;", "by the name that the room shows"),
            ("use crate::room::B as C;", "the same from the root, by another name"),
            ("use super::b;\nfn f() {\n    b::g();\n}", "through the module"),
            ("fn f(b: &super::b::B) {}", "written out"),
            ("fn f() {\n    use super::b::B;\n}", "in a function"),
            ("mod within {\n    use super::super::b::B;\n}", "in a module of the file's own"),
        ] {
            let texts = [("room", "mod a;\nmod b;\npub use self::b::B;"), ("room/a", text), uses_a];
            assert_eq!(circle_of(&texts).as_deref(), Some("room/a room/b"), "{how}");
        }
        // The file of the room is a file like the others.
        for room in
            ["use self::a::A;", "pub use self::a::A;\nfn f(a: A) {}", "fn f() {\n    a::f();\n}"]
        {
            let texts = [("room", room), ("room/a", "use super::State;")];
            assert_eq!(circle_of(&texts).as_deref(), Some("room room/a"), "{room}");
        }
        // Through other rooms.
        let texts = [
            ("one/a", "use crate::two::B;"),
            ("two", "pub use self::b::B;"),
            ("two/b", "use crate::one::a::A;"),
        ];
        assert_eq!(circle_of(&texts).as_deref(), Some("one/a two/b"));
    }

    #[test]
    fn what_is_no_circle_is_not_found() {
        for text in [
            "use super::c::C;",
            "// use super::b::B;",
            "#[cfg(test)]\nmod tests {\n    use super::super::b::B;\n}",
            "#[cfg(test)]\nuse super::b::B;",
            "pub(in crate::room::b) fn f() {}",
            "use super::b;",
            "mod within {\n    use super::b::B;\n}",
            "use elsewhere::room::b::B;\nfn f() {\n    elsewhere::room::b::f();\n}",
        ] {
            let texts = [
                ("room", "mod a;\nmod b;\nmod c;\npub use self::{a::A, b::B};"),
                ("room/a", text),
                ("room/b", "use super::A;"),
                ("room/c", ""),
            ];
            assert_eq!(circle_of(&texts), None, "{text}");
        }
    }

    #[test]
    fn a_name_belongs_to_the_room_that_declares_it_and_to_those_that_show_it() {
        let files = files(&[
            ("a", "use crate::b::{C, d};\nfn f() {\n    d::g();\n}"),
            ("b", "pub use crate::c::C;"),
            ("b/d", ""),
            ("c", ""),
        ]);
        let rooms = files.rooms();
        assert_eq!(rooms["a"].iter().collect::<Vec<_>>(), ["b", "c"]);
    }
}
