namespace Garden.Generators.ModelFiles;

/// <summary>What <see cref="JsonReader.Read"/> stands on.</summary>
internal enum JsonToken
{
    /// <summary>Nothing was read yet.</summary>
    None,

    /// <summary>An opening brace.</summary>
    BeginObject,

    /// <summary>A closing brace.</summary>
    EndObject,

    /// <summary>An opening bracket.</summary>
    BeginArray,

    /// <summary>A closing bracket.</summary>
    EndArray,

    /// <summary>The name of a member; its value follows.</summary>
    Name,

    /// <summary>A string.</summary>
    String,

    /// <summary>A number, or <c>NaN</c>, <c>Infinity</c> or <c>-Infinity</c>.</summary>
    Number,

    /// <summary><c>true</c>.</summary>
    True,

    /// <summary><c>false</c>.</summary>
    False,

    /// <summary><c>null</c>.</summary>
    Null,

    /// <summary>The end of the text, behind exactly one value.</summary>
    End,
}
