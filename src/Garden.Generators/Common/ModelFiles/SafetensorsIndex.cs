namespace Garden.Generators.ModelFiles;

/// <summary>
/// The tensors that a <c>model.safetensors.index.json</c> lists, in its order. Two indexes are equal when their names are; a
/// 64-bit hash tells most different ones apart at once, and comparing 22 000 equal names takes well under a millisecond.
/// </summary>
internal sealed class SafetensorsIndex : IEquatable<SafetensorsIndex>
{
    private readonly ulong _hash;

    public SafetensorsIndex(IEnumerable<string> names)
    {
        Names = new EquatableArray<string>(names);
        _hash = Fnv1a.Of(Names);
    }

    /// <summary>Names of the tensors, each once.</summary>
    public EquatableArray<string> Names { get; }

    /// <summary>Reads the names; the files they map to are looked up at run time.</summary>
    public static SafetensorsIndex Read(JsonReader reader)
    {
        reader.Expect(JsonToken.BeginObject, "an object");
        List<string>? names = null;
        while (reader.Read() != JsonToken.EndObject)
        {
            if (!reader.Is("weight_map"))
            {
                reader.Skip();
                continue;
            }

            if (names is not null)
                throw new JsonFormatException("weight_map is given twice");
            reader.Expect(JsonToken.BeginObject, "an object that maps tensors to files");
            names = ReadNames(reader);
        }

        return names is not null ? new SafetensorsIndex(names) : throw new JsonFormatException("there is no weight_map");
    }

    public bool Equals(SafetensorsIndex? other) => other is not null && (ReferenceEquals(this, other) || (_hash == other._hash && Names.Equals(other.Names)));

    public override bool Equals(object? obj) => Equals(obj as SafetensorsIndex);

    public override int GetHashCode() => _hash.GetHashCode();

    private static List<string> ReadNames(JsonReader reader)
    {
        var names = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() != JsonToken.EndObject)
        {
            string name = reader.GetString();
            if (!seen.Add(name))
                throw new JsonFormatException($"the tensor '{name}' is listed twice");
            names.Add(name);
            reader.Expect(JsonToken.String, "the name of a file");
        }

        return names;
    }
}
