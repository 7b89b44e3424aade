#include "storage/bundles/bundle.hpp"

#include "storage/hash.hpp"
#include "storage/metadata/node.hpp"
#include "storage/record.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr std::string_view bundle_key = "bundle"; // that the records are sealed with
constexpr std::string_view tags_key = "tags";
constexpr size_t context_name_max = 64;
constexpr size_t sources_max = 10'000;

result<void> check_texts(const text_map& all, std::string_view what) {
  if (all.size() > metadata_limits::properties_max)
    return {errc::invalid, "the bundle has " + std::to_string(all.size()) + " " + std::string(what)
                             + "s; at most " + std::to_string(metadata_limits::properties_max)
                             + " are kept"};
  for (const auto& [name, value] : all) {
    TROUPE_TRY(check_name(name, "the name of a " + std::string(what)));
    if (value.size() > metadata_limits::value_max)
      return {errc::invalid, "the " + std::string(what) + " " + name + " has "
                               + std::to_string(value.size()) + " bytes; at most "
                               + std::to_string(metadata_limits::value_max)
                               + " are kept: make it part of the data"};
  }
  return {};
}

void put(field_writer& to, const text_map& all) {
  to.count(static_cast<uint32_t>(all.size()));
  for (const auto& [name, value] : all) {
    to.text(name);
    to.text(value);
  }
}

text_map read_texts(field_reader& from) {
  text_map out;
  auto n = from.count();
  for (uint32_t i = 0; i < n && from.good(); ++i) {
    std::string name(from.text());
    out.insert_or_assign(std::move(name), std::string(from.text()));
  }
  return out;
}

error malformed(std::string_view what) {
  return {errc::corrupt, "the record of " + std::string(what)
                           + " has another form than it says; restore it from another remote"};
}

} // namespace

result<void> check(const bundle& x) {
  if (!is_hex(x.uuid, 32))
    return {errc::invalid, "the uuid " + printable(x.uuid)
                             + " is not 32 lowercase hexadecimal digits; leave it out to get one"};
  TROUPE_TRY(check_name(x.name, "the name of a bundle"));
  for (const auto* text : {&x.processing_name, &x.owner, &x.code})
    if (!text->empty())
      TROUPE_TRY(check_name(*text, "the processing name, owner or code of the bundle " + x.name));
  if (!x.tree.empty() && !is_hex(x.tree, 64))
    return {errc::invalid, "the tree " + printable(x.tree) + " of the bundle " + x.name
                             + " is no tree; add its files first"};
  if (x.content.size() > metadata_limits::value_max)
    return {errc::invalid, "the data of the bundle " + x.name + " takes "
                             + std::to_string(x.content.size()) + " bytes as text; at most "
                             + std::to_string(metadata_limits::value_max)
                             + " are kept so: put it in a file"};
  TROUPE_TRY(check_texts(x.parameters, "parameter"));
  if (x.sources.size() > sources_max)
    return {errc::invalid, "the bundle " + x.name + " was made of more than "
                             + std::to_string(sources_max) + " others; bundle those first"};
  for (const auto& each : x.sources)
    if (!is_hex(each.uuid, 32))
      return {errc::invalid, "the bundle " + x.name + " is made of " + printable(each.uuid)
                               + ", which is no uuid; give one"};
  return {};
}

result<void> check_context_name(std::string_view x) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (!x.empty() && x.size() <= context_name_max && std::all_of(x.begin(), x.end(), allowed)
      && x.find_first_not_of('.') != std::string_view::npos)
    return {};
  return {errc::invalid, "the context " + printable(x) + " is not 1 to "
                           + std::to_string(context_name_max)
                           + " of a-z, 0-9, '.', '_' and '-'; choose such a name"};
}

std::string processing_name_of(const bundle& x) {
  field_writer facts;
  facts.text(x.code);
  put(facts, x.parameters);
  auto sources = x.sources;
  std::sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) {
    return std::tie(a.argument, a.processing_name) < std::tie(b.argument, b.processing_name);
  });
  facts.count(static_cast<uint32_t>(sources.size()));
  for (const auto& each : sources) {
    facts.text(each.argument);
    facts.text(each.processing_name);
  }
  constexpr size_t digits = 16;
  auto base = x.code.empty() ? x.name : x.code;
  constexpr size_t base_max = metadata_limits::name_max - digits - 1;
  return percent_encoded(base.substr(0, base_max)).substr(0, base_max) + "-"
         + sha256(facts.take()).substr(0, digits);
}

std::string encode(const bundle& x) {
  field_writer out;
  for (const auto* text :
       {&x.uuid, &x.name, &x.processing_name, &x.owner, &x.content, &x.tree, &x.code})
    out.text(*text);
  for (auto number : {x.created_ns, x.started_ns, x.ended_ns})
    out.number(number);
  put(out, x.parameters);
  out.count(static_cast<uint32_t>(x.sources.size()));
  for (const auto& each : x.sources)
    for (const auto* text : {&each.argument, &each.uuid, &each.processing_name})
      out.text(*text);
  return seal(bundle_key, out.take());
}

result<bundle> read_bundle(std::string_view bytes) {
  auto payload = unseal(bundle_key, bytes);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  bundle x;
  for (auto* text : {&x.uuid, &x.name, &x.processing_name, &x.owner, &x.content, &x.tree, &x.code})
    *text = in.text();
  for (auto* number : {&x.created_ns, &x.started_ns, &x.ended_ns})
    *number = in.number();
  x.parameters = read_texts(in);
  auto n = in.count();
  for (uint32_t i = 0; i < n && in.good(); ++i) {
    auto& each = x.sources.emplace_back();
    for (auto* text : {&each.argument, &each.uuid, &each.processing_name})
      *text = in.text();
  }
  if (!in.whole())
    return malformed("a bundle");
  TROUPE_TRY(check(x));
  return x;
}

std::string encode_tags(const text_map& x) {
  field_writer out;
  put(out, x);
  return seal(tags_key, out.take());
}

result<text_map> read_tags(std::string_view bytes) {
  auto payload = unseal(tags_key, bytes);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  auto x = read_texts(in);
  if (!in.whole())
    return malformed("tags");
  TROUPE_TRY(check_texts(x, "tag"));
  return x;
}

} // namespace troupe::storage
