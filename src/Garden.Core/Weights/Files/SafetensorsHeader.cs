using System.Buffers.Binary;
using System.Text.Json;

namespace Garden.Weights;

/// <summary>
/// The header of a safetensors file, checked as if an enemy had written it: nothing is allocated by a length that the bytes at hand
/// do not bear out, and after <see cref="Parse"/> every tensor lies inside the file, on nobody else's bytes.
/// </summary>
/// <remarks>
/// The format (https://github.com/huggingface/safetensors): the header's length (8 bytes, little-endian), the header, a JSON object of
/// name → {dtype, shape, data_offsets: [begin, end)} with an optional <c>__metadata__</c> of strings, then the tensors without gaps.
/// </remarks>
public sealed class SafetensorsHeader
{
    /// <summary>The longest header that is read: the limit of the format's reference implementation, 100 MB.</summary>
    public const int MaxLength = 100_000_000;

    /// <summary>Bytes in front of the header.</summary>
    public const int PrefixLength = sizeof(ulong);

    private const int MaxDimensions = 16;
    private const string Metadata = "__metadata__";
    private readonly Dictionary<string, SafetensorsTensor> _byName;

    private SafetensorsHeader(Dictionary<string, SafetensorsTensor> tensors, Dictionary<string, string> metadata, long dataOffset)
    {
        _byName = tensors;
        MetadataValues = metadata;
        DataOffset = dataOffset;
        Tensors = [.. tensors.Values.OrderBy(static tensor => tensor.Offset).ThenBy(static tensor => tensor.Length)];
    }

    /// <summary>The tensors in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    /// <summary>What <c>__metadata__</c> says.</summary>
    public IReadOnlyDictionary<string, string> MetadataValues { get; }

    /// <summary>Byte offset in the file from which the tensors' offsets count.</summary>
    public long DataOffset { get; }

    /// <summary>The tensor of a name; null when there is none.</summary>
    public SafetensorsTensor? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The header's length that a file begins with.</summary>
    /// <param name="path">Named in exceptions.</param>
    /// <param name="prefix">The first <see cref="PrefixLength"/> bytes of the file, fewer when it has fewer.</param>
    /// <param name="fileLength">Bytes of the whole file.</param>
    /// <exception cref="SafetensorsException">The file is shorter than that, or the header longer than <see cref="MaxLength"/>.</exception>
    public static int LengthFrom(string path, ReadOnlySpan<byte> prefix, long fileLength)
    {
        if (prefix.Length < PrefixLength || fileLength < PrefixLength)
            throw new SafetensorsException(path, $"the file has {fileLength} bytes; a safetensors file begins with {PrefixLength} bytes of header length.");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxLength)
            throw new SafetensorsException(path, $"the header is said to have {length} bytes; at most {MaxLength} are read. Is this a safetensors file?");
        if ((long)length > fileLength - PrefixLength)
            throw new SafetensorsException(path, $"the header is said to have {length} bytes, but only {fileLength - PrefixLength} follow: the file was cut, or is no safetensors file.");
        return (int)length;
    }

    /// <summary>Parses a header.</summary>
    /// <param name="path">Named in exceptions.</param>
    /// <param name="header">Exactly the header's bytes, without the prefix.</param>
    /// <param name="dataLength">Bytes of the file behind the header.</param>
    /// <exception cref="SafetensorsException">It is not valid JSON of the format, or a tensor lies outside the file, overlaps another one, leaves a gap or has a size that its shape does not have.</exception>
    public static SafetensorsHeader Parse(string path, ReadOnlySpan<byte> header, long dataLength)
    {
        var tensors = new Dictionary<string, SafetensorsTensor>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 4 });
            Require(reader.Read() && reader.TokenType == JsonTokenType.StartObject, "the header is no JSON object");
            bool hasMetadata = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (name == Metadata)
                {
                    Require(!hasMetadata, $"{Metadata} is there twice");
                    hasMetadata = true;
                    ReadMetadata(ref reader, metadata);
                }
                else if (!tensors.TryAdd(name, ReadTensor(ref reader, name, dataLength)))
                {
                    throw new FormatException($"tensor \"{name}\" is there twice");
                }
            }

            Require(reader.TokenType == JsonTokenType.EndObject, "the header ends inside an object");
            // The format allows spaces as padding, and nothing else, behind the object.
            Require(!reader.Read(), "something follows the header's object");
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
            throw new SafetensorsException(path, $"{exception.Message.TrimEnd('.')}.", exception);
        }

        var parsed = new SafetensorsHeader(tensors, metadata, PrefixLength + header.Length);
        parsed.RequireNoOverlap(path, dataLength);
        return parsed;
    }

    private static SafetensorsTensor ReadTensor(ref Utf8JsonReader reader, string name, long dataLength)
    {
        Require(reader.Read() && reader.TokenType == JsonTokenType.StartObject, $"tensor \"{name}\" is no object");
        SafetensorsElement? element = null;
        List<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            Require(reader.Read(), $"\"{field}\" of tensor \"{name}\" has no value");
            switch (field)
            {
                case "dtype" when element is null:
                    string type = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
                    Require(SafetensorsElements.TryParse(type, out SafetensorsElement known), $"the dtype \"{type}\" of tensor \"{name}\" is not known");
                    element = known;
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, MaxDimensions, $"the shape of tensor \"{name}\"");
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, 2, $"data_offsets of tensor \"{name}\"");
                    break;
                default:
                    throw new FormatException($"\"{field}\" of tensor \"{name}\" is not known or there twice");
            }
        }

        Require(reader.TokenType == JsonTokenType.EndObject, $"tensor \"{name}\" ends early");
        if (element is not { } read || shape is null || offsets is not [var begin, var end])
            throw new FormatException($"tensor \"{name}\" lacks its dtype, its shape or two data_offsets");
        if (begin > end || end > dataLength)
            throw new FormatException($"tensor \"{name}\" is said to lie at [{begin}, {end}); the file has {dataLength} bytes of tensors");
        long length = SafetensorsElements.BytesOf(read);
        foreach (long size in shape)
            length = checked(length * size);
        if (length != end - begin)
            throw new FormatException($"tensor \"{name}\" [{string.Join(", ", shape)}] of {SafetensorsElements.NameOf(read)} has {length} bytes; its data_offsets say {end - begin}");
        return new SafetensorsTensor(name, read, shape, begin, length);
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader, int most, string what)
    {
        Require(reader.TokenType == JsonTokenType.StartArray, $"{what} is no array");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType == JsonTokenType.Number)
        {
            Require(numbers.Count < most, $"{what} has more than {most} numbers");
            Require(reader.TryGetInt64(out long number) && number >= 0, $"{what} has a number that is no integer of 0 to 2^63 - 1");
            numbers.Add(number);
        }

        Require(reader.TokenType == JsonTokenType.EndArray, $"{what} has something that is no number");
        return numbers;
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string> metadata)
    {
        Require(reader.Read() && reader.TokenType == JsonTokenType.StartObject, $"{Metadata} is no object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            Require(reader.Read() && reader.TokenType == JsonTokenType.String, $"\"{key}\" of {Metadata} is no string");
            Require(metadata.TryAdd(key, reader.GetString()!), $"\"{key}\" of {Metadata} is there twice");
        }

        Require(reader.TokenType == JsonTokenType.EndObject, $"{Metadata} ends early");
    }

    /// <summary>The tensors cover the bytes behind the header exactly: in order, none begins before the last one's end or behind it.</summary>
    private void RequireNoOverlap(string path, long dataLength)
    {
        long end = 0;
        foreach (SafetensorsTensor tensor in Tensors)
        {
            if (tensor.Offset < end)
                throw new SafetensorsException(path, $"tensor \"{tensor.Name}\" begins at {tensor.Offset}, inside the one that ends at {end}.");
            if (tensor.Offset > end)
                throw new SafetensorsException(path, $"bytes [{end}, {tensor.Offset}) belong to no tensor; the format allows no gaps.");
            end += tensor.Length;
        }

        if (end != dataLength)
            throw new SafetensorsException(path, $"the tensors end at byte {end} behind the header, the file at {dataLength}; it was cut, or something was appended.");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new FormatException(otherwise);
    }
}
