//! A list that grows without moving what it has.

const PAGE: usize = 1024;

/// Values by number, in pages.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { pages: Vec::new() }
    }
}

impl<T> Pages<T> {
    pub(super) fn len(&self) -> usize {
        self.pages.len().saturating_sub(1) * PAGE + self.pages.last().map_or(0, Vec::len)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(value),
            _ => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(value);
                self.pages.push(page);
            }
        }
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.pages.get(at as usize / PAGE)?.get(at as usize % PAGE)
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.pages.get_mut(at as usize / PAGE)?.get_mut(at as usize % PAGE)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flatten()
    }

    /// The values, page by page, so that the memory of a page that is through is free.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.pages.into_iter().flatten()
    }
}
