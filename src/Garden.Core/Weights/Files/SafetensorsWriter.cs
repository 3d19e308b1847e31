using System.Buffers.Binary;
using System.Text.Json;

namespace Garden.Weights;

/// <summary>Writes a safetensors file: the header at once, then the tensors' bytes one after the other as they are declared.</summary>
public sealed class SafetensorsWriter : IDisposable
{
    private readonly FileStream _stream;
    private readonly string _path;
    private long _left;

    /// <summary>Creates the file, or overwrites it, and writes its header.</summary>
    /// <param name="path">Where.</param>
    /// <param name="tensors">Name, element type and shape of each tensor, in the order in which their bytes will be written.</param>
    /// <param name="metadata">What <c>__metadata__</c> says; <c>format: pt</c>, as loaders expect, when nothing else is given.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or a size is negative.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public SafetensorsWriter(string path, IReadOnlyList<(string Name, SafetensorsElement Element, IReadOnlyList<long> Shape)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        byte[] header = Header(tensors, metadata ?? new Dictionary<string, string> { ["format"] = "pt" }, out _left);
        _path = path;
        _stream = File.Create(path);
        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixLength];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
        _stream.Write(prefix);
        _stream.Write(header);
    }

    /// <summary>Writes the next bytes of the tensors.</summary>
    /// <exception cref="ArgumentException">There are more of them than the declared tensors have.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > _left)
            throw new ArgumentException($"{_path} has {_left} bytes of tensors left to write; got {bytes.Length}.", nameof(bytes));
        _stream.Write(bytes);
        _left -= bytes.Length;
    }

    /// <summary>Closes the file.</summary>
    /// <exception cref="InvalidOperationException">Bytes of a declared tensor were not written.</exception>
    public void Complete()
    {
        Dispose();
        if (_left != 0)
            throw new InvalidOperationException($"{_path} lacks {_left} bytes of its tensors; write each declared tensor before completing the file.");
    }

    /// <summary>Closes the file, complete or not.</summary>
    public void Dispose() => _stream.Dispose();

    private static byte[] Header(
        IReadOnlyList<(string Name, SafetensorsElement Element, IReadOnlyList<long> Shape)> tensors, IReadOnlyDictionary<string, string> metadata, out long end)
    {
        using var memory = new MemoryStream();
        var names = new HashSet<string>(StringComparer.Ordinal);
        end = 0;
        using (var json = new Utf8JsonWriter(memory))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            foreach ((string key, string value) in metadata)
                json.WriteString(key, value);
            json.WriteEndObject();
            foreach ((string name, SafetensorsElement element, IReadOnlyList<long> shape) in tensors)
            {
                if (!names.Add(name))
                    throw new ArgumentException($"Two tensors are called \"{name}\"; a file has each name once.", nameof(tensors));
                long length = SafetensorsElements.BytesOf(element);
                json.WriteStartObject(name);
                json.WriteString("dtype", SafetensorsElements.NameOf(element));
                json.WriteStartArray("shape");
                foreach (long size in shape)
                {
                    ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(tensors));
                    json.WriteNumberValue(size);
                    length = checked(length * size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(end);
                end = checked(end + length);
                json.WriteNumberValue(end);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces up to a multiple of 8, so that the tensors are aligned in the file.
        while (memory.Length % sizeof(long) != 0)
            memory.WriteByte((byte)' ');
        return memory.ToArray();
    }
}
