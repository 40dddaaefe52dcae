//! A request to the engine.

use serde_json::Value;
use ureq::http::Method;
use url::form_urlencoded;

use super::version::Version;

/// What the engine is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    is_versioned: bool,
}

impl Request {
    /// `path` begins with a slash.
    pub fn get(path: impl Into<String>) -> Request {
        Request::new(Method::GET, path.into())
    }

    pub fn post(path: impl Into<String>) -> Request {
        Request::new(Method::POST, path.into())
    }

    pub fn delete(path: impl Into<String>) -> Request {
        Request::new(Method::DELETE, path.into())
    }

    fn new(method: Method, path: String) -> Request {
        Request {
            method,
            path,
            query: Vec::new(),
            body: None,
            is_versioned: true,
        }
    }

    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.query.push((name, value.into()));
        self
    }

    /// The body, which only [`Request::post`] has.
    #[must_use]
    pub fn json(self, body: Value) -> Request {
        Request {
            body: Some(body),
            ..self
        }
    }

    pub(super) fn unversioned(self) -> Request {
        Request {
            is_versioned: false,
            ..self
        }
    }

    /// The host's name leads nowhere: whom a connection goes to is the connector's affair.
    pub(super) fn url(&self, version: Version) -> String {
        let mut url = "http://docker".to_owned();
        if self.is_versioned {
            url = format!("{url}/v{version}");
        }
        url.push_str(&self.path);
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.query);
            url = format!("{url}?{}", query.finish());
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_address_of_one_version() {
        let request = Request::post("/containers/create").query("name", "a b&c");
        let expected = "http://docker/v1.41/containers/create?name=a+b%26c";
        assert_eq!(request.url(Version::OLDEST), expected);
        let ping = Request::get("/_ping").unversioned();
        assert_eq!(ping.url(Version::OLDEST), "http://docker/_ping");
    }
}
