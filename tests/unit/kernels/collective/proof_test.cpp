// The published vectors: FIPS 180-4's examples, and RFC 4231's test cases for HMAC.
#include "kernels/collective/proof.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace troupe::collective {
namespace {

std::string hex(const digest& bytes) {
  constexpr auto digits = "0123456789abcdef";
  std::string out;
  for (auto each : bytes) {
    out += digits[each >> 4];
    out += digits[each & 15];
  }
  return out;
}

std::vector<uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

TEST(Sha256, OfThePublishedExamples) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256(bytes_of("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::vector<uint8_t>(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Around the length from which the padding takes a block of its own, and around a whole block.
TEST(Sha256, EachLengthHasItsOwnPadding) {
  EXPECT_EQ(hex(sha256(std::vector<uint8_t>(55, 'a'))),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(hex(sha256(std::vector<uint8_t>(56, 'a'))),
            "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  EXPECT_EQ(hex(sha256(std::vector<uint8_t>(64, 'a'))),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

struct hmac_case {
  std::vector<uint8_t> key;
  std::vector<uint8_t> text;
  const char* expected;
};

std::vector<hmac_case> hmac_cases() {
  std::vector<uint8_t> counting;
  for (uint8_t each = 1; each <= 25; ++each)
    counting.push_back(each);
  return {
    {std::vector<uint8_t>(20, 0x0b), bytes_of("Hi There"),
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {bytes_of("Jefe"), bytes_of("what do ya want for nothing?"),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {std::vector<uint8_t>(20, 0xaa), std::vector<uint8_t>(50, 0xdd),
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {counting, std::vector<uint8_t>(50, 0xcd),
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {std::vector<uint8_t>(131, 0xaa),
     bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"),
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {std::vector<uint8_t>(131, 0xaa),
     bytes_of("This is a test using a larger than block-size key and a larger than block-size "
              "data. The key needs to be hashed before being used by the HMAC algorithm."),
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
}

TEST(Hmac, OfThePublishedCases) {
  for (auto& each : hmac_cases())
    EXPECT_EQ(hex(hmac_sha256(each.key, each.text)), each.expected);
}

TEST(Proof, DependsOnSecretPurposeAndBytes) {
  std::vector<uint8_t> challenge{1, 2, 3};
  auto proof = prove("secret", "purpose", challenge);
  EXPECT_TRUE(same(proof, prove("secret", "purpose", challenge)));
  EXPECT_FALSE(same(proof, prove("secreT", "purpose", challenge)));
  EXPECT_FALSE(same(proof, prove("secret", "purposE", challenge)));
  EXPECT_FALSE(same(proof, prove("secret", "purpose", std::vector<uint8_t>{1, 2, 4})));
  // A purpose ends with a zero byte: its last letter is not the first byte of a challenge.
  EXPECT_FALSE(same(prove("s", "ab", std::vector<uint8_t>{'c'}), prove("s", "abc", {})));
  EXPECT_FALSE(same(new_nonce(), new_nonce()));
}

// Every single bit counts.
TEST(Proof, DigestsThatDifferInOneBitAreNotTheSame) {
  digest a{};
  for (size_t bit = 0; bit < 256; ++bit) {
    auto b = a;
    b[bit / 8] = static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(same(a, b)) << bit;
  }
}

} // namespace
} // namespace troupe::collective
