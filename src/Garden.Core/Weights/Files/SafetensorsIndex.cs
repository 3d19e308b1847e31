using System.Text.Json;

namespace Garden.Weights;

/// <summary>A <c>model.safetensors.index.json</c>: which file of a sharded checkpoint holds which tensor.</summary>
public sealed class SafetensorsIndex
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "model.safetensors.index.json";

    /// <summary>The longest index that is read, 256 MB: some two million tensors.</summary>
    public const int MaxLength = 256_000_000;

    private SafetensorsIndex(Dictionary<string, string> files, long? totalSize)
    {
        Files = files;
        TotalSize = totalSize;
    }

    /// <summary>Tensor name → file name, beside the index.</summary>
    public IReadOnlyDictionary<string, string> Files { get; }

    /// <summary>Bytes of all tensors as the metadata say; null when they do not. It is informative: writers differ in what they count.</summary>
    public long? TotalSize { get; }

    /// <summary>Reads an index.</summary>
    /// <exception cref="SafetensorsException">It is too long, not JSON of the format, or names a file outside its own directory.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsIndex Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        long length = new FileInfo(path).Length;
        if (length > MaxLength)
            throw new SafetensorsException(path, $"the index has {length} bytes; at most {MaxLength} are read.");
        return Parse(path, File.ReadAllBytes(path));
    }

    /// <summary>Parses an index.</summary>
    /// <param name="path">Named in exceptions.</param>
    /// <param name="json">Its bytes.</param>
    /// <exception cref="SafetensorsException">It is not JSON of the format, or names a file outside its own directory.</exception>
    public static SafetensorsIndex Parse(string path, ReadOnlySpan<byte> json)
    {
        try
        {
            Dictionary<string, string>? files = null;
            long? totalSize = null;
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new FormatException("the index is no JSON object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("weight_map"u8) && files is null)
                    files = ReadFiles(ref reader);
                else if (reader.ValueTextEquals("metadata"u8))
                    totalSize = ReadTotalSize(ref reader);
                else
                    reader.Skip();
            }

            if (reader.TokenType != JsonTokenType.EndObject || reader.Read())
                throw new FormatException("the index's object does not end where the file does");
            return new SafetensorsIndex(files ?? throw new FormatException("the index has no weight_map"), totalSize);
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException)
        {
            throw new SafetensorsException(path, $"{exception.Message.TrimEnd('.')}.", exception);
        }
    }

    private static Dictionary<string, string> ReadFiles(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new FormatException("weight_map is no object");
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        var known = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!reader.Read() || reader.TokenType != JsonTokenType.String)
                throw new FormatException($"weight_map has no file name for \"{name}\"");
            string file = reader.GetString()!;
            // A plain name only: an index must not make its reader open files elsewhere.
            if (file.Length == 0 || file is "." or ".." || file.AsSpan().ContainsAny('/', '\\', '\0'))
                throw new FormatException($"weight_map names \"{file}\" for \"{name}\", which is no plain file name");
            // One string a file, not one a tensor.
            if (!known.TryGetValue(file, out string? shared))
                known.Add(shared = file);
            if (!files.TryAdd(name, shared))
                throw new FormatException($"weight_map has \"{name}\" twice");
        }

        return reader.TokenType == JsonTokenType.EndObject ? files : throw new FormatException("weight_map ends early");
    }

    private static long? ReadTotalSize(ref Utf8JsonReader reader)
    {
        long? size = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new FormatException("metadata is no object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isSize = reader.ValueTextEquals("total_size"u8);
            if (!reader.Read())
                break;
            // Some writers put it down as a float.
            if (isSize && reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out double value) && value is >= 0 and < 9e18)
                size = (long)value;
            reader.Skip();
        }

        return reader.TokenType == JsonTokenType.EndObject ? size : throw new FormatException("metadata ends early");
    }
}
