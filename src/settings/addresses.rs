//! The way to AWS, as variables give it: which of them name an address, which of the
//! addresses count, and which proxy is for which kind of address.

use super::{
    Given, Lookup, SettingsWarning,
    reader::Reader,
    url::{EndpointUrl, Proxy},
    variable::{self, AWS_SWITCH},
};

/// Each, as far as it was given.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) endpoint_url: Option<EndpointUrl>,
    pub(super) sts_endpoint_url: Option<EndpointUrl>,
    pub(super) ignores_endpoint_urls: Option<bool>,
    pub(super) use_fips: Option<bool>,
    pub(super) use_dual_stack: Option<bool>,
    pub(super) https_proxy: Option<Proxy>,
    pub(super) http_proxy: Option<Proxy>,
    pub(super) no_proxy: Option<String>,
}

impl Addresses {
    pub(super) fn read(reader: &mut Reader<'_, impl Lookup + ?Sized>) -> Self {
        let mut url = |variable| {
            let given = reader.named(variable)?;
            Some(EndpointUrl { variable: given.name, url: given.text })
        };
        let of_cloudwatch = url(&variable::AWS_ENDPOINT_URL_CLOUDWATCH);
        let of_sts = url(&variable::AWS_ENDPOINT_URL_STS);
        let of_all = url(&variable::AWS_ENDPOINT_URL);
        let is_set = reader.given(&variable::AWS_IGNORE_CONFIGURED_ENDPOINT_URLS).is_some();
        let mut switch = |variable| reader.choice(variable, &AWS_SWITCH);
        let ignores_endpoint_urls =
            switch(&variable::AWS_IGNORE_CONFIGURED_ENDPOINT_URLS).filter(|_| is_set);
        let use_fips = switch(&variable::AWS_USE_FIPS_ENDPOINT);
        let use_dual_stack = switch(&variable::AWS_USE_DUALSTACK_ENDPOINT);
        let ignored = [&of_cloudwatch, &of_sts, &of_all].into_iter().flatten();
        for EndpointUrl { variable, url } in ignored.filter(|_| ignores_endpoint_urls == Some(true))
        {
            reader.warn(SettingsWarning::new(
                format!(
                    "{variable}={url:?} has no effect, because {}=true",
                    variable::AWS_IGNORE_CONFIGURED_ENDPOINT_URLS.name
                ),
                "remove one of them",
            ));
        }
        let counts = |_: &EndpointUrl| ignores_endpoint_urls != Some(true);
        let endpoint_url = of_cloudwatch.or_else(|| of_all.clone()).filter(counts);
        let sts_endpoint_url = of_sts.or(of_all).filter(counts);
        let of_https = reader.named_text(&variable::HTTPS_PROXY_LOWER, &variable::HTTPS_PROXY);
        let of_http = reader.named(&variable::HTTP_PROXY_LOWER);
        let of_all = reader.named_text(&variable::ALL_PROXY_LOWER, &variable::ALL_PROXY);
        let proxy = |given: Given| Proxy { variable: given.name, url: given.text };
        let no_proxy = reader.named_text(&variable::NO_PROXY_LOWER, &variable::NO_PROXY);
        Self {
            endpoint_url,
            sts_endpoint_url,
            ignores_endpoint_urls,
            use_fips,
            use_dual_stack,
            https_proxy: of_https.or_else(|| of_all.clone()).map(proxy),
            http_proxy: of_http.or(of_all).map(proxy),
            no_proxy: no_proxy.map(|given| given.text),
        }
    }
}
