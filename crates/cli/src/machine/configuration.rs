//! `dray config show`.

use dray_api::v1::GetConfigurationRequest;
use serde_json::{Value, json};

use crate::job::link::Link;
use crate::job::problem::Problem;
use crate::job::text::{Align, plain, table};
use crate::printer::Printer;

pub(super) async fn show(link: &mut Link, changed: bool, printer: &Printer) -> Result<(), Problem> {
    let answer = link.daemon.get_configuration(GetConfigurationRequest {}).await?.into_inner();
    let settings: Vec<_> =
        answer.settings.into_iter().filter(|setting| !changed || !setting.is_default).collect();
    if printer.json {
        let shown = settings.iter().map(
            |it| json!({ "key": it.key, "value": it.value, "from": it.from, "is_default": it.is_default }),
        );
        printer.json(&json!({ "settings": shown.collect::<Vec<Value>>() }));
        return Ok(());
    }
    let rows: Vec<_> = settings
        .iter()
        .map(|it| [&it.key, &it.value, &it.from].map(|text| plain(text).replace('\n', " ")))
        .collect();
    for line in table([("SETTING", Align::Left), ("VALUE", Align::Left), ("FROM", Align::Left)], &rows) {
        printer.data(&line);
    }
    Ok(())
}
