using System.Buffers.Binary;
using System.Text;
using Garden.Testing;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

/// <summary>Headers that an enemy wrote: each is refused with a message, none is believed.</summary>
public sealed class SafetensorsHeaderTests
{
    private const string Path = "hostile.safetensors";

    [Fact]
    public void A_header_is_read_with_spaces_metadata_scalars_and_empty_tensors()
    {
        SafetensorsHeader header = Parse(
            """ {"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]},"a":{"shape":[2,3],"data_offsets":[0,12],"dtype":"BF16"},"none":{"dtype":"I64","shape":[0,4],"data_offsets":[12,12]}}   """, 16);
        Assert.Equal(["a", "none", "b"], header.Tensors.Select(tensor => tensor.Name));
        Assert.Equal("pt", header.MetadataValues["format"]);
        Assert.Equal([2, 3], header.Find("a")!.Shape);
        Assert.Equal((SafetensorsElement.Float32, 12L, 4L), (header.Find("b")!.Element, header.Find("b")!.Offset, header.Find("b")!.Length));
        Assert.Null(header.Find("c"));
    }

    [Theory]
    [InlineData("", 0, "valid JSON")]
    [InlineData("[]", 0, "no JSON object")]
    [InlineData("{", 0, "")]
    [InlineData("{} {}", 0, "")]
    [InlineData("{}", 4, "end at byte 0 behind the header, the file at 4")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}""", 3, "is said to lie at [0, 4); the file has 3 bytes")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}""", 8, "the file at 8")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}""", 8, "bytes [0, 4) belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}""", 6, "begins at 2, inside the one that ends at 4")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}""", 4, "inside the one")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"a":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}""", 8, "there twice")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,0]}}""", 8, "is said to lie at [4, 0)")]
    [InlineData("""{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,4]}}""", 4, "has 6 bytes; its data_offsets say 4")]
    [InlineData("""{"a":{"dtype":"F16","shape":[-2],"data_offsets":[0,4]}}""", 4, "no integer of 0")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2.5],"data_offsets":[0,4]}}""", 4, "no integer of 0")]
    [InlineData("""{"a":{"dtype":"F16","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""", 0, "overflow")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,18446744073709551615]}}""", 4, "no integer of 0")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4,8]}}""", 8, "more than 2 numbers")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0]}}""", 4, "two data_offsets")]
    [InlineData("""{"a":{"dtype":"F16","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,4]}}""", 4, "more than 16 numbers")]
    [InlineData("""{"a":{"dtype":"F13","shape":[2],"data_offsets":[0,4]}}""", 4, "dtype \"F13\"")]
    [InlineData("""{"a":{"dtype":16,"shape":[2],"data_offsets":[0,4]}}""", 4, "dtype \"\"")]
    [InlineData("""{"a":{"dtype":"F16","dtype":"F16","shape":[2],"data_offsets":[0,4]}}""", 4, "there twice")]
    [InlineData("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4],"more":1}}""", 4, "not known")]
    [InlineData("""{"a":{"dtype":"F16","shape":[[2]],"data_offsets":[0,4]}}""", 4, "no number")]
    [InlineData("""{"a":[[[[[]]]]]}""", 0, "no object")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "no string")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", 0, "there twice")]
    public void A_header_that_is_wrong_is_refused(string json, long dataLength, string reason)
    {
        SafetensorsException exception = Assert.Throws<SafetensorsException>(() => Parse(json, dataLength));
        Assert.StartsWith($"{Path}: ", exception.Message, StringComparison.Ordinal);
        Assert.Contains(reason, exception.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(ulong.MaxValue, 1000, "at most")]
    [InlineData(100_000_001, 200_000_000, "at most")]
    [InlineData(993, 1000, "only 992 follow")]
    public void A_header_longer_than_its_file_or_the_limit_is_not_read(ulong length, long fileLength, string reason)
    {
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        Assert.Contains(reason, Assert.Throws<SafetensorsException>(() => SafetensorsHeader.LengthFrom(Path, prefix, fileLength)).Message, StringComparison.Ordinal);
        Assert.Throws<SafetensorsException>(() => SafetensorsHeader.LengthFrom(Path, prefix.AsSpan(0, 7), 7));
    }

    /// <summary>Any change of a valid header either gives a header all of whose tensors lie in the file, apart from one another, or that one exception.</summary>
    [Fact]
    public void Damaged_headers_never_crash_and_never_leave_the_file()
    {
        byte[] valid = Encoding.UTF8.GetBytes(
            """{"__metadata__":{"x":"y"},"model.a":{"dtype":"BF16","shape":[4,8],"data_offsets":[0,64]},"model.b":{"dtype":"F32","shape":[3],"data_offsets":[64,76]},"c":{"dtype":"U8","shape":[1,1,5],"data_offsets":[76,81]}}""");
        (int read, int refused) = (0, 0);
        Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Byte, Gen.Int[0, 5], Gen.Long[0, 200]).Array[1, 4].Sample(
            changes =>
            {
                List<byte> bytes = [.. valid];
                long dataLength = 81;
                foreach ((int position, byte value, int kind, long length) in changes)
                {
                    if (bytes.Count == 0)
                        break;
                    int at = Math.Min(position, bytes.Count - 1);
                    if (kind <= 1)
                        bytes[at] = value;
                    else if (kind == 2)
                        bytes.Insert(at, (byte)('0' + (value % 10)));
                    else if (kind == 3)
                        bytes.RemoveAt(at);
                    else if (kind == 4)
                        bytes.RemoveRange(at, bytes.Count - at - 1);
                    else
                        dataLength = length;
                }

                SafetensorsHeader header;
                try
                {
                    header = SafetensorsHeader.Parse(Path, bytes.ToArray(), dataLength);
                }
                catch (SafetensorsException)
                {
                    refused++;
                    return;
                }

                read++;
                int[] covered = new int[dataLength];
                foreach (SafetensorsTensor tensor in header.Tensors)
                {
                    for (long i = tensor.Offset; i < tensor.Offset + tensor.Length; i++)
                        covered[i]++;
                }

                Assert.All(covered, count => Assert.Equal(1, count));
            },
            iter: 20_000L * Extended.Times,
            threads: 1);
        Assert.True(read > 0 && refused > 0, $"{read} read, {refused} refused");
        TestContext.Current.TestOutputHelper?.WriteLine($"{read} damaged headers read, {refused} refused.");
    }

    private static SafetensorsHeader Parse(string json, long dataLength) => SafetensorsHeader.Parse(Path, Encoding.UTF8.GetBytes(json), dataLength);
}
