use super::report::Report;
use super::web::Web;

/// The server that `wilco serve` runs.
pub(super) async fn check(report: &mut Report, url: &str) {
    let token = std::env::var("WILCO_TOKEN").ok().filter(|token| !token.is_empty());
    let web = Web::new(url).and_then(|web| match &token {
        Some(token) => web.header("authorization", &format!("Bearer {token}")),
        None => Ok(web),
    });
    let web = match web {
        Ok(web) => web,
        Err(why) => return report.bad("server.reachable", why, "name it as in --server http://127.0.0.1:4480"),
    };
    match web.get("/healthz").await {
        Ok(answer) if answer.status == 200 => {
            report.good("server.reachable", format!("{url} answers, and can read its store"))
        }
        Ok(answer) => {
            let says = format!("{url} answers {} to /healthz: {}", answer.status, first_line(&answer.body));
            return report.bad("server.reachable", says, "look at its log; the disk may be full, or the file locked");
        }
        Err(why) => {
            let says = format!("nothing answers at {url}: {why}");
            return report.bad("server.reachable", says, "start `wilco serve`, or name the address of its --http");
        }
    }
    match web.get("/metrics").await {
        Ok(answer) if matches!(answer.status, 401 | 403) => {
            return report.bad(
                "server.token",
                "it wants another token",
                "set WILCO_TOKEN to the one that it was started with",
            );
        }
        Ok(answer) if answer.status == 200 => numbers(report, &answer.body),
        _ => report.unknown("server.numbers", format!("{url} has no /metrics"), "is `wilco serve` listening there?"),
    }
    web.clock(report, "server.clock", "/healthz").await;
}

fn numbers(report: &mut Report, page: &str) {
    let count = |name: &str| number(page, name).unwrap_or_default();
    let (failed, refused) = (count("wilco_store_failed_total"), count("wilco_store_refused_total"));
    if failed > 0 {
        let says = format!("{failed} requests could not be written");
        report.bad("server.numbers", says, "look at its log; the disk may be full");
    } else if refused > 0 {
        let says = format!("{refused} requests came when too much was waiting, and were refused, to be sent again");
        report.warning("server.numbers", says, "use a faster disk, or sample: see the guide on sizing");
    } else {
        report.good(
            "server.numbers",
            format!("{} spans written since it started, none refused", count("wilco_store_spans_total")),
        );
    }
}

/// The value after this name and its labels on a page of Prometheus text.
pub(super) fn number(page: &str, name: &str) -> Option<u64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}
