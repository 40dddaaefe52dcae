//! What apk has installed in an image: read from its layers after a build, and kept with what is pushed.

mod attach;
mod changes;
mod database;
mod layer;
mod package;
mod published;
mod statement;

pub(crate) use self::attach::attach;
pub(crate) use self::changes::changes;
pub(crate) use self::layer::LayerContent;
pub(crate) use self::package::Package;
pub(crate) use self::published::published;
