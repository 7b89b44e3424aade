#include "storage/metadata/first_format.hpp"

#include "storage/hash.hpp"
#include "storage/record.hpp"

#include <set>

namespace troupe::storage {

namespace {

constexpr size_t id_size = 32; // hexadecimal digits
constexpr size_t nodes_at_once = 1000;
constexpr std::string_view prefixes[] = {"a", "d", "q", "u", "x", "y"};

// Artifacts and executions had texts as properties and a name for their type.
struct old_record {
  std::string id;
  std::string type;
  std::string name;
  std::string uri;
  std::string hash;
  std::string state;
  std::map<std::string, std::string> properties;
};

result<old_record> read_old(std::string_view key, std::string_view value) {
  auto payload = unseal(key, value);
  if (!payload)
    return payload.error();
  field_reader in(*payload);
  old_record x;
  auto is_artifact = key[0] == 'a';
  x.id = in.text();
  x.type = in.text();
  x.name = in.text();
  if (is_artifact) {
    x.uri = in.text();
    x.hash = in.text();
    static_cast<void>(in.number());
  } else {
    x.state = in.text();
  }
  x.properties = in.map();
  if (!in.whole())
    return {errc::corrupt, "the stored record " + hex(key)
                             + " has another form than its kind; "
                               "restore the store from a copy"};
  return x;
}

// What 0.1.0 called the states of a job, in the words of ML Metadata.
node_state state_of(const std::string& x) {
  if (x == "succeeded")
    return node_state::complete;
  if (x == "failed")
    return node_state::failed;
  if (x == "killed")
    return node_state::canceled;
  return x == "queued" ? node_state::created : node_state::running;
}

// Jobs became contexts.
node_kind kind_of_old(const old_record& x, bool is_artifact) {
  if (is_artifact)
    return node_kind::artifact;
  return x.type == "job" ? node_kind::context : node_kind::execution;
}

node_put node_of(const old_record& x, bool is_artifact) {
  node_put out;
  out.existing = on_existing::keep;
  out.type_name = x.type;
  out.what.kind = kind_of_old(x, is_artifact);
  out.what.external_id = x.id;
  out.what.uri = fitting(x.uri, metadata_limits::uri_max);
  out.what.hash = x.hash;
  if (is_artifact)
    out.what.state = node_state::live;
  else if (out.what.kind == node_kind::execution)
    out.what.state = state_of(x.state);
  if (auto job = x.properties.find("job"); out.what.kind == node_kind::context)
    out.what.name = "job/" + (job == x.properties.end() ? x.id : job->second);
  out.what.custom.emplace("name", x.name);
  if (!x.state.empty())
    out.what.custom.emplace("state", x.state);
  for (const auto& [name, value] : x.properties)
    out.what.custom.emplace(name, value);
  return out;
}

// The id that 0.1.0 gave to the job of an attempt.
std::string job_id(const std::string& number) {
  return sha256(std::string("execution").append(1, '\0').append("job/").append(number))
    .substr(0, id_size);
}

class conversion {
public:
  explicit conversion(const std::function<result<void>(change_set)>& write) : write_(write) {}

  result<void> add(const old_record& x, bool is_artifact) {
    auto put = node_of(x, is_artifact);
    types_.emplace(put.what.kind, x.type);
    auto job = x.properties.find("job");
    if (put.what.kind == node_kind::execution && job != x.properties.end())
      link_to_job(job->second);
    set_.nodes.push_back(std::move(put));
    return set_.nodes.size() < nodes_at_once ? result<void>() : flush();
  }

  // An edge's ends are kept by their external ids: they are there by now.
  result<void> add_edge(std::string_view key) {
    auto input = key[1 + id_size] == 'i';
    auto end = [&](node_kind kind, std::string_view id) {
      node_put put;
      put.existing = on_existing::keep;
      put.what.kind = kind;
      put.what.external_id = id;
      set_.nodes.push_back(std::move(put));
      return node_ref::put(set_.nodes.size() - 1);
    };
    event_put x;
    x.execution = end(node_kind::execution, key.substr(1, id_size));
    x.artifact = end(node_kind::artifact, key.substr(2 + id_size, id_size));
    x.type = input ? event_type::input : event_type::output;
    if (auto path = key.substr(2 + 2 * id_size); !path.empty())
      x.path.emplace_back(fitting(path, metadata_limits::text_max));
    set_.events.push_back(std::move(x));
    return set_.nodes.size() < nodes_at_once ? result<void>() : flush();
  }

  result<void> flush() {
    for (const auto& [kind, name] : types_) {
      auto& type = set_.types.emplace_back();
      type.kind = kind;
      type.name = name;
    }
    set_.evolution = {true, true};
    set_.keep_events = true;
    types_.clear();
    return write_(std::exchange(set_, {}));
  }

private:
  void link_to_job(const std::string& number) {
    node_put job;
    job.existing = on_existing::keep;
    job.type_name = "job";
    job.what.kind = node_kind::context;
    job.what.external_id = job_id(number);
    job.what.name = "job/" + number;
    types_.emplace(node_kind::context, "job");
    set_.nodes.push_back(std::move(job));
    auto context = set_.nodes.size() - 1;
    set_.links.push_back(
      {link_kind::association, node_ref::put(context), node_ref::put(set_.nodes.size())});
  }

  const std::function<result<void>(change_set)>& write_;
  change_set set_;
  std::set<std::pair<node_kind, std::string>> types_;
};

// Reads the pairs of a prefix; `visit` may write to the store.
template <class Visit>
result<void> for_each(const store& in, std::string_view prefix, const Visit& visit) {
  std::string from;
  for (;;) {
    std::vector<std::pair<std::string, std::string>> some;
    auto read = in.scan(prefix, from, nodes_at_once, [&](auto key, auto value) {
      some.emplace_back(key, value);
      return true;
    });
    if (!read)
      return read;
    for (const auto& [key, value] : some)
      if (auto good = visit(key, value); !good)
        return good;
    if (some.size() < nodes_at_once)
      return {};
    from = std::string(some.back().first).append(1, '\0');
  }
}

} // namespace

result<bool> has_first_format(const store& in) {
  auto found = false;
  for (auto prefix : prefixes)
    TROUPE_TRY(in.scan(prefix, {}, 1, [&](auto, auto) { return !(found = true); }));
  return found;
}

result<void> read_first_format(const store& in,
                               const std::function<result<void>(change_set next)>& write) {
  conversion all(write);
  // Executions first: a job that an attempt names is there by then, where it was ever.
  for (auto jobs : {true, false})
    TROUPE_TRY(for_each(in, "x", [&](const std::string& key, const std::string& value) {
      auto x = read_old(key, value);
      if (!x)
        return result<void>(x.error());
      return (x->type == "job") == jobs ? all.add(*x, false) : result<void>();
    }));
  TROUPE_TRY(all.flush());
  TROUPE_TRY(for_each(in, "a", [&](const std::string& key, const std::string& value) {
    auto x = read_old(key, value);
    return x ? all.add(*x, true) : result<void>(x.error());
  }));
  TROUPE_TRY(all.flush());
  TROUPE_TRY(for_each(in, "d", [&](const std::string& key, const std::string&) -> result<void> {
    if (key.size() >= 2 + 2 * id_size)
      return all.add_edge(key);
    return {errc::corrupt,
            "the stored edge " + hex(key) + " is cut short; restore the store from a copy"};
  }));
  return all.flush();
}

std::vector<change_set> parts_of(const change_set& all) {
  std::vector<change_set> out;
  auto with = [&](std::initializer_list<size_t> nodes) -> change_set& {
    auto& part = out.emplace_back();
    part.types = all.types;
    part.evolution = all.evolution;
    part.keep_events = true;
    for (auto i : nodes)
      part.nodes.push_back(all.nodes[i]);
    return part;
  };
  for (size_t i = 0; i < all.nodes.size(); ++i)
    with({i});
  for (const auto& x : all.events) {
    auto alone = x;
    alone.execution = node_ref::put(0);
    alone.artifact = node_ref::put(1);
    with({x.execution.index, x.artifact.index}).events.push_back(std::move(alone));
  }
  for (const auto& x : all.links) {
    auto alone = x;
    alone.context = node_ref::put(0);
    alone.other = node_ref::put(1);
    with({x.context.index, x.other.index}).links.push_back(alone);
  }
  return out;
}

result<void> erase_first_format(store& in) {
  batch gone;
  for (auto prefix : prefixes)
    gone.erase_range(std::string(prefix), end_of_prefix(prefix));
  return in.commit(gone, durability::synced);
}

} // namespace troupe::storage
