using Microsoft.CodeAnalysis.Text;

namespace Garden.Generators.ModelFiles;

/// <summary>One additional file as read: its content, or why it could not be read.</summary>
/// <param name="Path">Where it is, with forward slashes.</param>
/// <param name="Content">What it says; null when <paramref name="Error"/> is given.</param>
/// <param name="Error">What is wrong, with line and column; null when nothing is.</param>
internal sealed record ModelFile<T>(string Path, T? Content, string? Error)
    where T : class, IEquatable<T>
{
    /// <summary>Reads a text; every defect of it becomes <see cref="Error"/>.</summary>
    public static ModelFile<T> Read(string path, SourceText text, Func<JsonReader, T> parse)
    {
        try
        {
            var reader = new JsonReader(text.ToString());
            T content = parse(reader);
            reader.Expect(JsonToken.End, "the end of the file");
            return new ModelFile<T>(Slashes(path), content, null);
        }
        catch (JsonFormatException error)
        {
            return new ModelFile<T>(Slashes(path), null, error.Message);
        }
    }

    /// <summary>A file whose text its host could not read.</summary>
    public static ModelFile<T> Unreadable(string path) => new(Slashes(path), null, "the file cannot be read");

    /// <summary>The same content at another place.</summary>
    public ModelFile<T> At(string path) => Slashes(path) is var other && other == Path ? this : this with { Path = other };

    private static string Slashes(string path) => path.Replace('\\', '/');
}
