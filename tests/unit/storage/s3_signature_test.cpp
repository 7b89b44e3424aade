// The texts of S3: signatures, URLs, credentials and XML.
#include "storage/bytes/s3_address.hpp"
#include "storage/bytes/s3_answers.hpp"
#include "storage/bytes/s3_signature.hpp"
#include "storage/hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace troupe::storage {
namespace {

// AWS, "Authenticating Requests: Using the Authorization Header", its examples of 24 May 2013.
const s3_credentials example{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                             ""};
constexpr int64_t example_time = 1'369'353'600'000'000'000;

std::string value_of(const s3_headers& headers, const std::string& name) {
  auto at = std::find_if(headers.begin(), headers.end(), [&](auto& x) { return x.first == name; });
  return at == headers.end() ? "(none)" : at->second;
}

std::string authorization(s3_request request, std::string_view body) {
  request.host = "examplebucket.s3.amazonaws.com";
  return value_of(signed_headers(request, sha256(body), example, "us-east-1", example_time),
                  "authorization");
}

std::string expected(const char* names, const char* signature) {
  return std::string{"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                     "aws4_request,SignedHeaders="}
    .append(names)
    .append(",Signature=")
    .append(signature);
}

TEST(S3Signature, OfAGetIsThatOfTheDocumentation) {
  EXPECT_EQ(authorization({"GET", "", "/test.txt", "", {{"range", "bytes=0-9"}}}, ""),
            expected("host;range;x-amz-content-sha256;x-amz-date",
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST(S3Signature, OfAPutIsThatOfTheDocumentation) {
  EXPECT_EQ(authorization({"PUT",
                           "",
                           "/" + uri_encoded("test$file.text", true),
                           "",
                           {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                            {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                          "Welcome to Amazon S3."),
            expected("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(S3Signature, OfAQueryIsThatOfTheDocumentation) {
  EXPECT_EQ(authorization({"GET", "", "/", query_text({{"lifecycle", ""}}), {}}, ""),
            expected("host;x-amz-content-sha256;x-amz-date",
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  auto query = query_text({{"prefix", "J"}, {"max-keys", "2"}});
  EXPECT_EQ(query, "max-keys=2&prefix=J");
  EXPECT_EQ(authorization({"GET", "", "/", query, {}}, ""),
            expected("host;x-amz-content-sha256;x-amz-date",
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(S3Signature, CarriesASessionTokenUnderIt) {
  auto with = example;
  with.session_token = "token";
  auto headers = signed_headers({"GET", "host", "/", "", {}}, sha256(""), with, "us-east-1", 0);
  EXPECT_EQ(value_of(headers, "x-amz-security-token"), "token");
  EXPECT_EQ(value_of(headers, "x-amz-date"), "19700101T000000Z");
  EXPECT_NE(value_of(headers, "authorization").find("x-amz-date;x-amz-security-token,"),
            std::string::npos);
}

TEST(S3Address, PutsTheBucketWhereTheStyleWantsIt) {
  auto at = address_of("https://s3.eu-west-1.amazonaws.com", "models", s3_style::virtual_host);
  ASSERT_TRUE(at);
  EXPECT_EQ(at->base, "https://models.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(at->host, "models.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(at->bucket, "");
  at = address_of("http://10.0.0.5:9000/", "models", s3_style::path);
  ASSERT_TRUE(at);
  EXPECT_EQ(at->base, "http://10.0.0.5:9000");
  EXPECT_EQ(at->host, "10.0.0.5:9000");
  EXPECT_EQ(at->bucket, "/models");
}

TEST(S3Address, LeavesOutThePortThatTheSchemeHas) {
  EXPECT_EQ(address_of("https://a:443", "bucket", s3_style::path)->host, "a");
  EXPECT_EQ(address_of("http://a:80", "bucket", s3_style::path)->host, "a");
  EXPECT_EQ(address_of("http://a:443", "bucket", s3_style::path)->host, "a:443");
  EXPECT_EQ(address_of("http://[::1]:80", "bucket", s3_style::path)->host, "[::1]");
  EXPECT_EQ(address_of("http://[::1]", "bucket", s3_style::path)->host, "[::1]");
}

TEST(S3Address, RefusesWhatIsNone) {
  for (auto* endpoint : {"", "s3.amazonaws.com", "ftp://a", "http://", "http://a/b", "http://a:b",
                         "http://a:0", "http://a:70000", "http://key:secret@a", "http://a?x",
                         "http://a b", "http://a:1:2", "http://a\r\nX: y"}) {
    auto at = address_of(endpoint, "bucket", s3_style::path);
    ASSERT_FALSE(at) << endpoint;
    EXPECT_EQ(at.error().code, errc::invalid);
  }
  for (auto* bucket : {"", "ab", "Bucket", "a/b", "a..b", "-ab", "a_b", "../"})
    EXPECT_FALSE(address_of("http://a", bucket, s3_style::path)) << bucket;
}

TEST(S3Address, WritesEveryByteAsTheSignatureWantsIt) {
  EXPECT_EQ(uri_encoded("aZ09-._~", false), "aZ09-._~");
  EXPECT_EQ(uri_encoded("a b+c/d\xc3\xa4", false), "a%20b%2Bc%2Fd%C3%A4");
  EXPECT_EQ(uri_encoded("a/b", true), "a/b");
  EXPECT_EQ(query_text({{"b", "/"}, {"a", ""}, {"B", "x=y"}}), "B=x%3Dy&a=&b=%2F");
  std::string all;
  for (int c = 0; c < 256; ++c)
    all += static_cast<char>(c);
  EXPECT_EQ(uri_decoded(uri_encoded(all, false)), all);
  EXPECT_EQ(uri_decoded("a+b%2"), "a b%2");
  EXPECT_EQ(uri_decoded("%zz%"), "%zz%");
}

TEST(S3Credentials, AreThoseOfTheEnvironment) {
  std::map<std::string, std::string> set;
  auto lookup = [&](const char* name) -> const char* {
    auto at = set.find(name);
    return at == set.end() ? nullptr : at->second.c_str();
  };
  ASSERT_TRUE(credentials_of_environment(lookup));
  EXPECT_FALSE(*credentials_of_environment(lookup));
  set["AWS_ACCESS_KEY_ID"] = "key";
  EXPECT_FALSE(credentials_of_environment(lookup));
  set["AWS_SECRET_ACCESS_KEY"] = "hidden";
  set["AWS_SESSION_TOKEN"] = "token";
  auto found = credentials_of_environment(lookup);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->key_id, "key");
  EXPECT_EQ((*found)->secret, "hidden");
  EXPECT_EQ((*found)->session_token, "token");
  set["AWS_SECRET_ACCESS_KEY"] = "hidden\nX: y";
  found = credentials_of_environment(lookup);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().text.find("hidden"), std::string::npos);
}

TEST(S3Credentials, AreThoseOfTheProfileInAFile) {
  constexpr auto text = "# mine\n[default]\naws_access_key_id = first\r\n"
                        "aws_secret_access_key=a/b+c=\nregion = eu\n"
                        "[profile work]\naws_access_key_id=second\naws_session_token = t\n"
                        "aws_secret_access_key = d\n; end\n[half]\naws_access_key_id=third";
  auto first = credentials_of_file(text, "default");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->key_id, "first");
  EXPECT_EQ(first->secret, "a/b+c=");
  EXPECT_EQ(first->session_token, "");
  auto work = credentials_of_file(text, "work");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->key_id, "second");
  EXPECT_EQ(work->session_token, "t");
  EXPECT_EQ(credentials_of_file(text, "half").error().code, errc::invalid);
  EXPECT_EQ(credentials_of_file(text, "none").error().code, errc::not_found);
  EXPECT_EQ(credentials_of_file("", "default").error().code, errc::not_found);
}

TEST(S3Answers, OfAListAreItsKeysAndTheNextPage) {
  auto page = read_listing(
    "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>"
    "<EncodingType>url</EncodingType><Contents><Key>a%2Fb+c</Key><Size>7</Size></Contents>"
    "<Contents><Key>d</Key><Size>18446744073709551615</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->entries.size(), 2u);
  EXPECT_EQ(page->entries[0].key, "a/b c");
  EXPECT_EQ(page->entries[0].bytes, 7u);
  EXPECT_EQ(page->next, "a&b");
  page = read_listing("<ListBucketResult><IsTruncated>false</IsTruncated>"
                      "<Contents><Key>a%2Fb+c</Key><Size>7</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->entries[0].key, "a%2Fb+c"); // nobody said that it is encoded
  EXPECT_EQ(page->next, "");
}

TEST(S3Answers, ThatAreOtherwiseAreErrors) {
  for (auto* xml : {"", "no", "<ListBucketResult>", "<Error/>",
                    "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                    "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
                    "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>"
                    "</ListBucketResult>"}) {
    auto page = read_listing(xml);
    ASSERT_FALSE(page) << xml;
    EXPECT_EQ(page.error().code, errc::io);
  }
  EXPECT_FALSE(read_upload_id("<InitiateMultipartUploadResult/>"));
  EXPECT_FALSE(read_uploads("<ListMultipartUploadsResult><Upload/></ListMultipartUploadsResult>"));
  EXPECT_FALSE(read_parts("<ListPartsResult><Part><PartNumber>1</PartNumber></Part>"
                          "</ListPartsResult>"));
}

TEST(S3Answers, OfUploadsAreReadWhole) {
  auto uploads
    = read_uploads("<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId>"
                   "<Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>"
                   "</ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads && uploads->size() == 1);
  EXPECT_EQ((*uploads)[0].id, "u");
  auto parts = read_parts("<ListPartsResult><Part><PartNumber>2</PartNumber><Size>8</Size>"
                          "<ETag>&quot;abc&quot;</ETag></Part></ListPartsResult>");
  ASSERT_TRUE(parts && parts->size() == 1);
  EXPECT_EQ((*parts)[0].number, 2u);
  EXPECT_EQ((*parts)[0].etag, "abc");
  EXPECT_EQ(*read_upload_id("<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                            "</InitiateMultipartUploadResult>"),
            "u");
  auto refusal
    = read_refusal("<Error><Code>NoSuchKey</Code><Message>It is gone.</Message></Error>");
  EXPECT_EQ(refusal.code, "NoSuchKey");
  EXPECT_EQ(refusal.message, "It is gone.");
  EXPECT_EQ(read_refusal("<html>").code, "");
}

} // namespace
} // namespace troupe::storage
