#include "storage/bytes/s3_answers.hpp"

#include "storage/bytes/s3_address.hpp"

#include <pugixml.hpp>

#include <charconv>
#include <cstring>

namespace troupe::storage {

namespace {

std::string text_of(const pugi::xml_node& node, const char* child) {
  return node.child(child).text().get();
}

template <class Number>
bool number_of(const pugi::xml_node& node, const char* child, Number& out) {
  auto text = text_of(node, child);
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc{} && end == text.data() + text.size();
}

// Ours ask for keys as in a URL; a server may not know how.
std::string key_of(const pugi::xml_node& root, const pugi::xml_node& node) {
  auto key = text_of(node, "Key");
  return text_of(root, "EncodingType") == "url" ? uri_decoded(key) : key;
}

result<pugi::xml_node> root_of(pugi::xml_document& document, std::string_view xml,
                               const char* name) {
  auto parsed
    = document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  auto root = document.document_element();
  if (!parsed || std::strcmp(root.name(), name) != 0)
    return {errc::io, std::string{"the answer is no "} + name
                        + " in XML: check that the endpoint is one of S3"};
  return root;
}

error lacks(const char* what) {
  return {errc::io, std::string{"the answer lacks "} + what
                      + ": check that the endpoint is one of S3, and tell its makers"};
}

} // namespace

s3_refusal read_refusal(std::string_view xml) {
  pugi::xml_document document;
  auto root = root_of(document, xml, "Error");
  if (!root)
    return {};
  s3_refusal out{text_of(*root, "Code"), text_of(*root, "Message")};
  if (out.code.empty())
    out.code = "Error";
  return out;
}

result<s3_listing> read_listing(std::string_view xml) {
  pugi::xml_document document;
  auto root = root_of(document, xml, "ListBucketResult");
  if (!root)
    return root.error();
  s3_listing out;
  for (auto each : root->children("Contents")) {
    auto& entry = out.entries.emplace_back();
    entry.key = key_of(*root, each);
    if (entry.key.empty() || !number_of(each, "Size", entry.bytes))
      return lacks("the key or the size of an object");
  }
  if (text_of(*root, "IsTruncated") == "true") {
    out.next = text_of(*root, "NextContinuationToken");
    if (out.next.empty())
      return lacks("the token of its next page");
  }
  return out;
}

result<std::vector<s3_upload>> read_uploads(std::string_view xml) {
  pugi::xml_document document;
  auto root = root_of(document, xml, "ListMultipartUploadsResult");
  if (!root)
    return root.error();
  std::vector<s3_upload> out;
  for (auto each : root->children("Upload")) {
    out.push_back({key_of(*root, each), text_of(each, "UploadId"), text_of(each, "Initiated")});
    if (out.back().key.empty() || out.back().id.empty())
      return lacks("the key or the id of an upload");
  }
  return out;
}

result<std::vector<s3_part>> read_parts(std::string_view xml) {
  pugi::xml_document document;
  auto root = root_of(document, xml, "ListPartsResult");
  if (!root)
    return root.error();
  std::vector<s3_part> out;
  for (auto each : root->children("Part")) {
    auto& part = out.emplace_back();
    part.etag = bare_etag(text_of(each, "ETag"));
    if (!number_of(each, "PartNumber", part.number) || !number_of(each, "Size", part.bytes)
        || part.etag.empty())
      return lacks("the number, the size or the ETag of a part");
  }
  return out;
}

result<std::string> read_upload_id(std::string_view xml) {
  pugi::xml_document document;
  auto root = root_of(document, xml, "InitiateMultipartUploadResult");
  if (!root)
    return root.error();
  auto id = text_of(*root, "UploadId");
  if (id.empty())
    return lacks("the id of the upload");
  return id;
}

std::string bare_etag(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string{etag};
}

} // namespace troupe::storage
