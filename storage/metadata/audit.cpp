#include "storage/metadata/audit.hpp"

#include "storage/metadata/filter.hpp"
#include "storage/metadata/keys.hpp"
#include "storage/metadata/records.hpp"
#include "storage/record.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

std::string called(node_kind kind, uint64_t id) {
  return "the " + std::string(name_of(kind)) + " " + std::to_string(id);
}

class auditor {
public:
  auditor(const reader& in, const finding_visitor& found) : in_(in), found_(found) {}

  result<metadata_audit> run() {
    read_counters_record();
    TROUPE_TRY(each(types_prefix(), [this](auto key, auto value) { look_at_type(key, value); }));
    for (auto kind : node_kinds) {
      last_ = 0;
      TROUPE_TRY(
        each(nodes_prefix(kind), [&](auto key, auto value) { look_below(kind, key, value); }));
      end_node(kind);
      if (last_ != counters_.of(kind))
        lost(called(kind, last_ + 1) + " and what follows, up to "
             + std::to_string(counters_.of(kind)) + ", are missing");
    }
    for (auto kind : node_kinds) {
      auto names = name_key(kind, 0, {}).substr(0, 3);
      TROUPE_TRY(each(names, [&](auto key, auto value) { look_at_name(kind, key, value); }));
      auto external = external_id_key(kind, {});
      TROUPE_TRY(each(external, [&](auto key, auto value) { look_at_name(kind, key, value); }));
    }
    TROUPE_TRY(look_at_changes());
    TROUPE_TRY(each("mi", [this](auto, auto) { ++out_.indexes; }));
    if (out_.indexes != indexes_wanted_)
      lost("there are " + std::to_string(out_.indexes) + " index keys, where the nodes have "
           + std::to_string(indexes_wanted_) + ": a question may find too few or be slow");
    TROUPE_TRY(each(subscriptions_prefix(),
                    [this](auto key, auto value) { look_at_subscription(key, value); }));
    TROUPE_TRY(each("mk", [this](auto key, auto value) { look_at_claim(key, value); }));
    return out_;
  }

private:
  template <class Look>
  result<void> each(std::string_view prefix, const Look& look) {
    return in_.scan(prefix, {}, no_limit, [&](auto key, auto value) {
      look(key, value);
      return true;
    });
  }

  void lost(const std::string& what) {
    ++out_.findings;
    found_(what);
  }

  // The record, or a finding.
  template <class T>
  std::optional<T> record(result<T> read, const std::string& what) {
    if (read)
      return std::move(*read);
    lost(what + " cannot be read: " + read.error().text);
    return std::nullopt;
  }

  bool has(const std::string& key) {
    auto value = in_.get(key);
    return value && *value;
  }

  void read_counters_record() {
    auto value = in_.get(counters_key());
    if (!value)
      return lost("the counters cannot be read: " + value.error().text);
    if (*value)
      counters_
        = record(read_counters(counters_key(), **value), "the counters").value_or(counters_);
  }

  void look_at_type(std::string_view key, std::string_view value) {
    ++out_.types;
    auto what = "the type " + std::to_string(other_of(key));
    if (auto x = record(read_type(key, value), what))
      types_.emplace(x->id, x->kind);
    if (other_of(key) > counters_.types)
      lost(what + " is newer than the counters");
  }

  // A node, or something that lies behind it.
  void look_below(node_kind kind, std::string_view key, std::string_view value) {
    constexpr size_t node_key_size = 10;
    constexpr size_t event_key_size = node_key_size + 10;
    constexpr size_t link_key_size = node_key_size + 9;
    if (key.size() != node_key_size && key.size() != link_key_size
        && (key.size() != event_key_size || key[node_key_size] != 'e'))
      return lost("there is a key of another form than any: " + hex(key.substr(0, 24)));
    auto id = id_of_node_key(key.substr(0, node_key_size));
    auto what = called(kind, id);
    if (key.size() == node_key_size)
      return look_at_node(kind, id, key, value);
    if (id != last_)
      lost("something of " + what + " is there, but not the node");
    last_ = std::max(last_, id);
    switch (key[node_key_size]) {
    case 'h':
      return look_at_version(kind, id, key, value);
    case 'e':
      return look_at_event(kind, id, key, value);
    default:
      return look_at_link(kind, id, key, value);
    }
  }

  // All of the node that was seen last was seen.
  void end_node(node_kind kind) {
    if (version_ != 0 && earlier_ + 1 != version_)
      lost("version " + std::to_string(earlier_ + 1) + " of " + called(kind, last_)
           + " is missing");
    version_ = 0;
    earlier_ = 0;
  }

  void look_at_node(node_kind kind, uint64_t id, std::string_view key, std::string_view value) {
    ++out_.nodes;
    auto what = called(kind, id);
    end_node(kind);
    if (id != last_ + 1)
      lost(called(kind, last_ + 1) + " and what follows, up to " + std::to_string(id - 1)
           + ", are missing");
    last_ = id;
    auto x = record(read_node(key, value), what);
    if (!x)
      return;
    if (auto type = types_.find(x->type); type == types_.end() || type->second != kind)
      lost("the type " + std::to_string(x->type) + " of " + what + " is missing");
    if (x->sequence > counters_.sequence)
      lost(what + " is newer than the counters");
    for (const auto& index : index_keys(*x)) {
      ++indexes_wanted_;
      if (!has(index))
        lost("an index key of " + what + " is missing: a question may not find it");
    }
    for (const auto& name :
         {x->name.empty() ? std::string() : name_key(kind, x->type, x->name),
          x->external_id.empty() ? std::string() : external_id_key(kind, x->external_id)})
      if (!name.empty() && !has(name))
        lost("a name of " + what + " is missing: another node could take it");
    version_ = x->version;
  }

  void look_at_version(node_kind kind, uint64_t id, std::string_view key, std::string_view value) {
    ++out_.versions;
    auto x = record(read_node(key, value), "an earlier version of " + called(kind, id));
    if (!x)
      return;
    if (x->version != ++earlier_)
      lost("version " + std::to_string(earlier_) + " of " + called(kind, id) + " is missing");
    earlier_ = x->version;
    if (version_ != 0 && x->version >= version_)
      lost("version " + std::to_string(x->version) + " of " + called(kind, id)
           + " is kept as an earlier one");
  }

  void look_at_event(node_kind kind, uint64_t id, std::string_view key, std::string_view value) {
    out_.events += kind == node_kind::execution ? 1 : 0;
    auto what = "an event of " + called(kind, id);
    auto x = record(read_event(key, value), what);
    if (!x)
      return;
    auto other = kind == node_kind::execution ? node_kind::artifact : node_kind::execution;
    look_at_other_end(what, other, other_of(key), event_key(other, other_of(key), x->type, id));
  }

  void look_at_link(node_kind kind, uint64_t id, std::string_view key, std::string_view value) {
    auto what = "a link of " + called(kind, id);
    auto x = record(read_link(key, value), what);
    if (!x)
      return;
    auto which = key[key.size() - 9];
    auto from_context = which == 'a' || which == 'x' || which == 'p';
    out_.links += from_context ? 1 : 0;
    look_at_other_end(what, from_context ? other_end(x->kind) : node_kind::context, other_of(key),
                      link_key(x->kind, !from_context, other_of(key), id));
  }

  void look_at_other_end(const std::string& what, node_kind other, uint64_t id,
                         const std::string& mirrored) {
    if (!has(node_key(other, id)))
      lost(what + " leads to " + called(other, id) + ", which is missing");
    else if (!has(mirrored))
      lost(what + " is not known to " + called(other, id));
  }

  void look_at_name(node_kind kind, std::string_view key, std::string_view value) {
    auto id = record(read_id(key, value), "a name of a node");
    if (!id)
      return;
    auto stored = in_.get(node_key(kind, *id));
    auto x = stored && *stored ? read_node(node_key(kind, *id), **stored)
                               : result<node>(errc::not_found, "it is missing");
    if (!x)
      lost("a name leads to " + called(kind, *id) + ", which is missing");
    else if (key != name_key(kind, x->type, x->name)
             && key != external_id_key(kind, x->external_id))
      lost("a name leads to " + called(kind, *id) + ", which has another one");
  }

  result<void> look_at_changes() {
    uint64_t last = 0;
    TROUPE_TRY(each(changes_prefix(), [&](auto key, auto value) {
      ++out_.changes;
      auto sequence = sequence_of_change(key);
      if (sequence != last + 1)
        lost("the changes " + std::to_string(last + 1) + " to " + std::to_string(sequence - 1)
             + " are missing: subscribers are not told of them");
      last = sequence;
      auto x = record(read_change(key, value), "the change " + std::to_string(sequence));
      for (size_t i = 0; x && i < x->nodes.size(); ++i)
        if (!has(node_key(x->nodes[i].kind, x->nodes[i].id)))
          lost("the change " + std::to_string(sequence) + " is of "
               + called(x->nodes[i].kind, x->nodes[i].id) + ", which is missing");
    }));
    if (last != counters_.sequence)
      lost("the changes after " + std::to_string(last) + ", up to "
           + std::to_string(counters_.sequence) + ", are missing");
    return {};
  }

  void look_at_subscription(std::string_view key, std::string_view value) {
    auto x = record(read_subscription(key, value), "a subscription");
    if (!x)
      return;
    if (auto read = parse_filter(x->kind, x->filter); !read)
      lost("the subscription " + x->name + " cannot go on: " + read.error().text);
  }

  void look_at_claim(std::string_view key, std::string_view value) {
    auto x = record(read_claim(key, value), "a claim");
    if (x && !has(node_key(node_kind::artifact, x->artifact)))
      lost("a claim of " + x->consumer + " is to the artifact " + std::to_string(x->artifact)
           + ", which is missing");
  }

  const reader& in_;
  const finding_visitor& found_;
  metadata_audit out_;
  metadata_counters counters_;
  std::map<uint64_t, node_kind> types_;
  uint64_t last_ = 0;    // id that was seen last
  uint64_t version_ = 0; // of that node; 0: it cannot be read
  uint64_t earlier_ = 0; // version of it that was seen last
  uint64_t indexes_wanted_ = 0;
};

} // namespace

result<metadata_audit> audit_metadata(const store& in, const finding_visitor& found) {
  auto held = in.snapshot();
  return auditor(*held, found).run();
}

} // namespace troupe::storage
