//! Answers as bytes: objects, lists, tables, partial metadata, errors.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/response.go`, `responsewriters/writers.go`.

use crate::rest::go_types::Ordered;
use crate::rest::http::{Head, HttpResponse};
use crate::rest::media::{Conversion, Encoding, Form};
use naru_api::encode::{self, Style, Text};
use naru_api::request::{ObjectList, Row, Table};
use naru_api::{
    ApiError, Cell, ColumnType, Kind, Object, Response, StrategyRef, status::ApiResult, yaml,
};
use serde_json::{Map, Value, json};

/// What of its object a table's row carries: `includeObject`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter.
    pub(crate) fn parse(text: &str) -> ApiResult<Self> {
        match text {
            "" | "Metadata" => Ok(IncludeObject::Metadata),
            "None" => Ok(IncludeObject::None),
            "Object" => Ok(IncludeObject::Object),
            other => Err(ApiError::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {}: must \
                 be 'Metadata', 'Object', 'None', or empty",
                naru_api::gofmt::quote(other)
            ))),
        }
    }
}

/// An error as the client is sent it.
pub fn error_response(error: &ApiError) -> HttpResponse {
    let code = u16::try_from(error.code()).unwrap_or(500);
    written(code, &status(error), &Form::default())
}

/// `metav1.Status` of an error, with the empty metadata that upstream writes.
pub fn status(error: &ApiError) -> Value {
    let mut json = encode::to_value(error.status()).unwrap_or_default();
    if let Some(map) = json.as_object_mut() {
        map.insert("metadata".to_owned(), json!({}));
    }
    json
}

/// What the API server answered, as an answer of this form.
pub(crate) fn answer(
    code: u16,
    answered: &Response,
    form: &Form,
    include: IncludeObject,
) -> ApiResult<HttpResponse> {
    let conversion = form.conversion.as_ref();
    let sorted = is_untyped(answered, conversion);
    if form.encoding == Encoding::Json && conversion.is_none() && !sorted {
        let told = match answered {
            Response::Object(one) => Some(json_bytes(form.pretty, |text| {
                one.tell(true, &mut Ordered::of(&one.kind(), text))
            })),
            Response::List(list) => Some(json_bytes(form.pretty, |text| {
                let metadata = list_meta(list.revision, &list.continue_token, list.remaining);
                Ordered::of(&list.kind, text).list(&list.kind, &metadata, &list.items)
            })),
            Response::Status(_) | Response::Table(_) => None,
        };
        if let Some(body) = told {
            let head = Head::new(code, form.encoding.media_type());
            return Ok(HttpResponse { head, body: body.map_err(ApiError::internal)? });
        }
    }
    let value = response(answered, conversion, include)?;
    Ok(written(code, &value, &Form { sorted, ..form.clone() }))
}

/// A value as an answer of this form.
pub(crate) fn written(code: u16, value: &Value, form: &Form) -> HttpResponse {
    let json = |sorted| json_bytes(form.pretty, |text| tell_value(value, sorted, text));
    let body = match form.encoding {
        Encoding::Yaml => yaml::print(value).into_bytes(),
        // A value has no errors of its own.
        Encoding::Json => json(form.sorted).unwrap_or_default(),
    };
    HttpResponse { head: Head::new(code, form.encoding.media_type()), body }
}

/// Tells a value as JSON, in the order of the alphabet or in that of Go's structs.
pub(crate) fn tell_value(
    value: &Value,
    sorted: bool,
    text: &mut Text,
) -> Result<(), serde_json::Error> {
    match sorted {
        true => encode::tell(value, text)?,
        false => Ordered::new(text).put(value),
    }
    Ok(())
}

/// JSON: for people with two spaces, as Go's `MarshalIndent` is told to, else on one line.
fn json_bytes(
    pretty: bool,
    tell: impl FnOnce(&mut Text) -> Result<(), serde_json::Error>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Text::new(Style { indent: pretty.then_some(2), html: false });
    tell(&mut text)?;
    let mut bytes = text.into_bytes();
    if !pretty {
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Whether Go has no type for an answer in this form: custom resources as they are.
pub(crate) fn is_untyped(response: &Response, conversion: Option<&Conversion>) -> bool {
    let custom = match response {
        Response::Object(object) => is_custom(&object.kind()),
        Response::List(list) => is_custom(&list.kind),
        Response::Status(_) | Response::Table(_) => false,
    };
    custom && conversion.is_none()
}

fn is_custom(kind: &Kind) -> bool {
    matches!(kind.strategy, StrategyRef::Custom(_))
}

/// What the API server answered, in the form that was asked for.
pub(crate) fn response(
    response: &Response,
    conversion: Option<&Conversion>,
    include: IncludeObject,
) -> ApiResult<Value> {
    let partial = conversion.filter(|wanted| wanted.kind.starts_with("PartialObjectMetadata"));
    match (response, partial) {
        (Response::Object(one), None) => object(one),
        (Response::Object(one), Some(wanted)) => Ok(partial_object(one, &wanted.version)),
        (Response::List(list), None) => items(list),
        (Response::List(list), Some(wanted)) => {
            let item = |object| partial_object(object, &wanted.version);
            Ok(json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": format!("meta.k8s.io/{}", wanted.version),
                "metadata": list_meta(list.revision, &list.continue_token, list.remaining),
                "items": list.items.iter().map(item).collect::<Vec<_>>(),
            }))
        }
        (Response::Status(done), _) => {
            let mut json = encode::to_value(&done).map_err(ApiError::internal)?;
            if let Some(map) = json.as_object_mut() {
                map.insert("metadata".to_owned(), json!({}));
            }
            Ok(json)
        }
        (Response::Table(shown), _) => {
            let version = conversion.map_or("v1", |wanted| &wanted.version);
            table(shown, version, include, true)
        }
    }
}

/// One object.
pub(crate) fn object(object: &Object) -> ApiResult<Value> {
    object.to_json().map_err(ApiError::internal)
}

/// A list. Its items say no kind, as upstream's do not, unless they are custom resources.
fn items(list: &ObjectList) -> ApiResult<Value> {
    let custom = is_custom(&list.kind);
    let item = |item: &Object| {
        let mut json = object(item)?;
        if let (Some(map), true) = (json.as_object_mut(), !custom) {
            map.remove("apiVersion");
            map.remove("kind");
        }
        Ok(json)
    };
    let items: ApiResult<Vec<Value>> = list.items.iter().map(item).collect();
    let mut metadata = list_meta(list.revision, &list.continue_token, list.remaining);
    if let (true, Some(map)) = (custom, metadata.as_object_mut()) {
        // Upstream: `UnstructuredList.SetContinue`.
        map.entry("continue").or_insert_with(|| Value::from(""));
    }
    Ok(json!({
        "kind": format!("{}List", list.kind.kind),
        "apiVersion": list.kind.api_version(),
        "metadata": metadata,
        "items": items?,
    }))
}

fn list_meta(revision: u64, continue_token: &str, remaining: Option<u64>) -> Value {
    let mut meta = Map::new();
    // What is not stored has no version.
    if revision != 0 {
        meta.insert("resourceVersion".to_owned(), Value::from(revision.to_string()));
    }
    if !continue_token.is_empty() {
        meta.insert("continue".to_owned(), Value::from(continue_token));
        if let Some(remaining) = remaining {
            meta.insert("remainingItemCount".to_owned(), Value::from(remaining));
        }
    }
    Value::Object(meta)
}

fn partial_object(object: &Object, version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": object.meta(),
    })
}

/// A table. In a watch only the first one has `headers`.
pub(crate) fn table(
    table: &Table,
    version: &str,
    include: IncludeObject,
    headers: bool,
) -> ApiResult<Value> {
    let column = |column: &naru_api::Column| {
        json!({
            "name": column.name,
            "type": column_type(column.type_),
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        })
    };
    let columns = if headers {
        Value::Array(table.columns.iter().map(column).collect())
    } else {
        Value::Null
    };
    let rows: ApiResult<Vec<Value>> =
        table.rows.iter().map(|shown| row(shown, version, include)).collect();
    Ok(json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": list_meta(table.revision, &table.continue_token, table.remaining),
        "columnDefinitions": columns,
        "rows": rows?,
    }))
}

fn column_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String => "string",
        ColumnType::Integer => "integer",
        ColumnType::Number => "number",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
    }
}

fn row(row: &Row, version: &str, include: IncludeObject) -> ApiResult<Value> {
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) => Value::from(text.as_str()),
        Cell::Number(number) => Value::from(*number),
        Cell::Float(number) => json!(number),
        Cell::Null => Value::Null,
        Cell::Bool(flag) => Value::from(*flag),
    };
    let shown = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => partial_object(&row.object, version),
        IncludeObject::Object => object(&row.object)?,
    };
    Ok(json!({ "cells": row.cells.iter().map(cell).collect::<Vec<_>>(), "object": shown }))
}
