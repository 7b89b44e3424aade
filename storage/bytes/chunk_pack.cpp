#include "storage/bytes/chunk_pack.hpp"

#include "storage/record.hpp"

#include <xxhash.h>

namespace troupe::storage {

namespace {

constexpr std::string_view pack_magic = "TROUPEP1";
constexpr std::string_view index_magic = "TROUPEI1";
constexpr std::string_view condemned_magic = "TROUPED1";
static_assert(pack_magic.size() + sizeof(uint64_t) == pack_head_size);

uint64_t sum_of(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

void append_number(std::string& out, const void* number, size_t size) {
  out.append(static_cast<const char*>(number), size);
}

void append_entry(std::string& out, const chunk_entry& x) {
  out.append(x.id.raw());
  append_number(out, &x.size, sizeof x.size);
  append_number(out, &x.stored, sizeof x.stored);
  append_number(out, &x.sum, sizeof x.sum);
}

bool is_sound(const chunk_entry& x) {
  return x.size >= 1 && x.size <= chunk_size_max && x.stored >= 1 && x.stored <= x.size;
}

// `raw` has chunk_entry_size bytes.
chunk_entry read_entry(std::string_view raw) {
  chunk_entry out;
  auto* at = raw.data() + content_id::bytes;
  out.id = content_id::from_raw(raw.substr(0, content_id::bytes));
  std::memcpy(&out.size, at, sizeof out.size);
  std::memcpy(&out.stored, at + 4, sizeof out.stored);
  std::memcpy(&out.sum, at + 8, sizeof out.sum);
  return out;
}

// The name of a pack: that of its entries, which name the bodies.
pack_id name_of_pack(uint64_t salt, const std::vector<chunk_entry>& entries) {
  std::string all;
  all.reserve(sizeof salt + entries.size() * chunk_entry_size);
  append_number(all, &salt, sizeof salt);
  for (auto& each : entries)
    append_entry(all, each);
  return {sha256_hasher{}.of(all)};
}

void append_sections(std::string& out, std::span<const pack_section> sections) {
  for (auto& each : sections) {
    auto count = static_cast<uint32_t>(each.entries.size());
    out.append(each.name.raw());
    append_number(out, &count, sizeof count);
    for (auto& entry : each.entries)
      append_entry(out, entry);
  }
}

error damaged(const char* what, const std::string& name, const char* why) {
  return {errc::corrupt, std::string{"the "}.append(what).append(" ").append(name).append(why)
                           + "; restore it from a copy of the store"};
}

// False: the bytes are of another shape. Empty sections only where they may be.
bool read_sections(std::string_view rest, bool may_be_empty, std::vector<pack_section>& out) {
  while (!rest.empty()) {
    constexpr auto head = content_id::bytes + sizeof(uint32_t);
    if (rest.size() < head)
      return false;
    uint32_t count = 0;
    std::memcpy(&count, rest.data() + content_id::bytes, sizeof count);
    pack_section section{content_id::from_raw(rest.substr(0, content_id::bytes)), {}};
    rest.remove_prefix(head);
    if ((count == 0 && !may_be_empty) || count > rest.size() / chunk_entry_size)
      return false;
    section.entries.reserve(count);
    uint64_t end = pack_head_size;
    for (uint32_t i = 0; i < count; ++i) {
      section.entries.push_back(read_entry(rest.substr(0, chunk_entry_size)));
      rest.remove_prefix(chunk_entry_size);
      end += chunk_entry_size + section.entries.back().stored;
      if (!is_sound(section.entries.back()) || end > UINT32_MAX)
        return false;
    }
    out.push_back(std::move(section));
  }
  return true;
}

} // namespace

chunk_entry entry_of(const chunk_id& id, size_t size, std::string_view body) {
  TROUPE_ASSERT(size >= 1 && size <= chunk_size_max && !body.empty() && body.size() <= size);
  return {id, static_cast<uint32_t>(size), static_cast<uint32_t>(body.size()), sum_of(body)};
}

std::string pack_object(const pack_id& name) {
  auto digits = name.digits();
  return "packs/" + digits.substr(0, 2) + "/" + digits;
}

void pack_builder::add(const chunk_entry& entry, std::string_view body) {
  if (bytes_.empty()) {
    bytes_.reserve(room_);
    bytes_.append(pack_magic).append(sizeof(uint64_t), '\0');
  }
  append_entry(bytes_, entry);
  bytes_.append(body);
  entries_.push_back(entry);
}

void pack_builder::append(pack_builder&& other) {
  if (empty()) {
    std::swap(bytes_, other.bytes_);
    std::swap(entries_, other.entries_);
  } else if (!other.empty()) {
    bytes_.append(other.bytes_, pack_head_size);
    entries_.insert(entries_.end(), other.entries_.begin(), other.entries_.end());
  }
  other = pack_builder{other.room_};
}

built_pack pack_builder::take(const std::function<bool(const pack_id&)>& taken) {
  uint64_t salt = 0;
  auto name = name_of_pack(salt, entries_);
  while (taken(name))
    name = name_of_pack(++salt, entries_);
  std::memcpy(bytes_.data() + pack_magic.size(), &salt, sizeof salt);
  built_pack out{{name, std::move(entries_)}, std::move(bytes_)};
  *this = pack_builder{room_};
  return out;
}

result<std::string_view> chunk_opener::open(const chunk_id& id, uint32_t size,
                                            std::string_view body, const pack_id& pack) {
  result<std::string_view> content{body};
  if (body.size() < size)
    content = decompressor_.content(body, size);
  if (content && content->size() == size && hasher_.of(*content) == id.digest)
    return content;
  return error{errc::corrupt, "the chunk " + id.digits() + " in the pack " + pack.digits()
                                + " is damaged; restore the pack from a copy of the store"};
}

result<std::vector<chunk_entry>> read_pack(const pack_id& name, std::string_view bytes) {
  auto bad = [&](const char* why) { return damaged("pack", name.digits(), why); };
  if (!bytes.starts_with(pack_magic) || bytes.size() < pack_head_size)
    return bad(" does not begin as one");
  uint64_t salt = 0;
  std::memcpy(&salt, bytes.data() + pack_magic.size(), sizeof salt);
  std::vector<chunk_entry> out;
  chunk_opener opener;
  for (auto rest = bytes.substr(pack_head_size); !rest.empty();) {
    if (rest.size() < chunk_entry_size)
      return bad(" is cut short");
    auto entry = read_entry(rest.substr(0, chunk_entry_size));
    rest.remove_prefix(chunk_entry_size);
    if (!is_sound(entry) || entry.stored > rest.size())
      return bad(" is cut short");
    auto body = rest.substr(0, entry.stored);
    rest.remove_prefix(entry.stored);
    if (sum_of(body) != entry.sum)
      return bad(" fails a checksum");
    if (auto content = opener.open(entry.id, entry.size, body, name); !content)
      return content.error();
    out.push_back(entry);
  }
  if (name_of_pack(salt, out) != name)
    return bad(" has another name");
  return out;
}

std::string encode_index(std::span<const pack_section> sections) {
  std::string out{index_magic};
  append_sections(out, sections);
  return out;
}

result<std::vector<pack_section>> decode_index(std::string_view name, std::string_view bytes) {
  std::vector<pack_section> out;
  if (sha256(bytes) != name)
    return damaged("index", std::string{name}, " has another SHA-256");
  if (!bytes.starts_with(index_magic)
      || !read_sections(bytes.substr(index_magic.size()), false, out))
    return damaged("index", std::string{name}, " is of another shape");
  return out;
}

std::string encode_condemned(const condemned_record& x) {
  std::string out{condemned_magic};
  append_number(out, &x.time_s, sizeof x.time_s);
  append_sections(out, x.sections);
  return out;
}

result<condemned_record> decode_condemned(std::string_view name, std::string_view bytes) {
  condemned_record out;
  auto head = condemned_magic.size() + sizeof out.time_s;
  if (sha256(bytes) != name)
    return damaged("condemned record", std::string{name}, " has another SHA-256");
  if (!bytes.starts_with(condemned_magic) || bytes.size() < head)
    return damaged("condemned record", std::string{name}, " is of another shape");
  std::memcpy(&out.time_s, bytes.data() + condemned_magic.size(), sizeof out.time_s);
  if (!read_sections(bytes.substr(head), true, out.sections))
    return damaged("condemned record", std::string{name}, " is of another shape");
  return out;
}

} // namespace troupe::storage
