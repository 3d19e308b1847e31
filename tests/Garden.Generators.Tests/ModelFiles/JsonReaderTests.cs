using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using Garden.Generators.ModelFiles;

namespace Garden.Generators.Tests.ModelFiles;

/// <summary>The reader takes and refuses what System.Text.Json does, and reads the same out of it.</summary>
public sealed class JsonReaderTests
{
    private static readonly string[] s_numbers =
    [
        "0", "-0", "7", "-12", "2147483647", "2147483648", "-2147483648", "-2147483649", "1e5", "1E-3", "0.5", "-0.25e+10", "1.0",
        "123456789012345678901234567890", "1e999999999",
    ];

    private static readonly string[] s_pieces =
    [
        "a", "num_hidden_layers", " ", "é", "漢", "😀", "\\n", "\\t", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\u0041", "\\u00e9",
        "\\uD83D\\uDE00", "\\u0000", "{", "]", ":", ",",
    ];

    // Characters that turn one text into another that is nearly right.
    private const string Noise = "{}[]:,\"\\ \n\t0123456789-+.eEutrfalsn/\u0001\0é";

    [Fact]
    public void Random_documents_read_the_same() =>
        Gen.Int[0, int.MaxValue].Sample(seed => Compare(Document(new Random(seed))), iter: 2000, threads: 1);

    [Fact]
    public void Damaged_documents_are_refused_or_read_the_same() =>
        Gen.Int[0, int.MaxValue].Sample(
            seed =>
            {
                var random = new Random(seed);
                var text = new StringBuilder(Document(random));
                for (int i = random.Next(1, 4); i > 0 && text.Length > 0; i--)
                {
                    int at = random.Next(text.Length);
                    switch (random.Next(4))
                    {
                        case 0:
                            text.Remove(at, 1);
                            break;
                        case 1:
                            text.Insert(at, Noise[random.Next(Noise.Length)]);
                            break;
                        case 2:
                            text[at] = Noise[random.Next(Noise.Length)];
                            break;
                        default:
                            text.Length = at;
                            break;
                    }
                }

                // Half of a pair is no text at all, so the two have no common input there.
                if (IsText(text.ToString()))
                    Compare(text.ToString());
            },
            iter: 20_000,
            threads: 1);

    [Theory]
    [InlineData("")]
    [InlineData("{\"a\":1} x")]
    [InlineData("\"\\uD83D\"")]
    [InlineData("\"\\uD83Dx\"")]
    [InlineData("\"\\uD83D\\uD83D\"")]
    [InlineData("\"\\uDE00\"")]
    [InlineData("\"\\u12G4\"")]
    [InlineData("\"\\u12")]
    [InlineData("\"\\x\"")]
    [InlineData("\"tab\there\"")]
    [InlineData("[1,]")]
    [InlineData("{\"a\":1,}")]
    [InlineData("{a:1}")]
    [InlineData("{\"a\" 1}")]
    [InlineData("// c\n1")]
    [InlineData("01")]
    [InlineData("+1")]
    [InlineData(".5")]
    [InlineData("1.")]
    [InlineData("1e")]
    [InlineData("-")]
    [InlineData("[}")]
    [InlineData("\0")]
    [InlineData("1\0")]
    [InlineData("\uFEFF1")]
    public void Broken_texts_are_refused(string text)
    {
        Compare(text);
        Assert.Throws<JsonFormatException>(() => Ours(text));
    }

    [Fact]
    public void Nesting_is_bounded()
    {
        Compare(Nested(JsonReader.MaxDepth));
        Assert.Throws<JsonFormatException>(() => Ours(Nested(JsonReader.MaxDepth + 1)));
        // Far deeper than any stack; the reader has none.
        Assert.Throws<JsonFormatException>(() => Ours(new string('[', 10_000_000)));

        static string Nested(int depth) => new string('[', depth) + new string(']', depth);
    }

    [Fact]
    public void Python_s_numbers_are_taken() =>
        Assert.Equal(["BeginArray", "Number", "Number", "Number", "EndArray"], Ours("[NaN, Infinity, -Infinity]").Select(token => token.Split(' ')[0]));

    [Theory]
    [InlineData("[1, x]", "line 1, column 5: expected a value")]
    [InlineData("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: expected ',' or '}'")]
    [InlineData("{\"a\": \"b", "line 1, column 9: the string does not end")]
    public void The_place_is_named(string text, string message) =>
        Assert.Equal(message, Assert.Throws<JsonFormatException>(() => Ours(text)).Message);

    [Theory]
    [InlineData("2147483647", 2147483647)]
    [InlineData("-2147483648", -2147483648)]
    [InlineData("2147483648", null)]
    [InlineData("1.0", null)]
    [InlineData("1e3", null)]
    [InlineData("99999999999999999999999999999999999999", null)]
    public void Only_whole_numbers_in_range_are_ints(string text, int? expected)
    {
        var reader = new JsonReader(text);
        reader.Read();
        Assert.Equal(expected, reader.TryGetInt32(out int value) ? value : null);
    }

    [Fact]
    public void Skipping_ends_behind_the_value()
    {
        var reader = new JsonReader("{\"a\": {\"b\": [1, {\"c\": []}]}, \"d\": 2}");
        reader.Read();
        reader.Read();
        reader.Skip();
        reader.Read();
        Assert.True(reader.Is("d"));
        reader.Skip();
        Assert.Equal(JsonToken.EndObject, reader.Read());
        Assert.Equal(JsonToken.End, reader.Read());
        Assert.Equal(JsonToken.End, reader.Read());
    }

    private static void Compare(string text)
    {
        List<string>? theirs = Try<JsonException>(Theirs, text), ours = Try<JsonFormatException>(Ours, text);
        if ((theirs is null) != (ours is null) || (theirs is not null && !theirs.SequenceEqual(ours!)))
            Assert.Fail($"System.Text.Json and the reader disagree on {JsonSerializer.Serialize(text)}: {Show(theirs)} and {Show(ours)}.");

        static string Show(List<string>? tokens) => tokens is null ? "refused" : string.Join(' ', tokens);
    }

    private static List<string>? Try<TException>(Func<string, List<string>> read, string text)
        where TException : Exception
    {
        try
        {
            return read(text);
        }
        catch (TException)
        {
            return null;
        }
    }

    private static List<string> Ours(string text)
    {
        var reader = new JsonReader(text);
        var tokens = new List<string>();
        while (reader.Read() != JsonToken.End)
        {
            tokens.Add(reader.Token switch
            {
                JsonToken.Name or JsonToken.String => $"{reader.Token} {reader.GetString()}",
                JsonToken.Number => $"Number {(reader.TryGetInt32(out int value) ? value.ToString(CultureInfo.InvariantCulture) : "other")}",
                _ => reader.Token.ToString(),
            });
        }

        return tokens;
    }

    private static List<string> Theirs(string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text));
        var tokens = new List<string>();
        while (reader.Read())
        {
            tokens.Add(reader.TokenType switch
            {
                JsonTokenType.StartObject => "BeginObject",
                JsonTokenType.EndObject => "EndObject",
                JsonTokenType.StartArray => "BeginArray",
                JsonTokenType.EndArray => "EndArray",
                JsonTokenType.PropertyName => $"Name {Text(ref reader)}",
                JsonTokenType.String => $"String {Text(ref reader)}",
                // Theirs takes 1.0 and 1e3 for ints.
                JsonTokenType.Number => $"Number {(reader.TryGetInt32(out int value) && !reader.ValueSpan.ContainsAny(".eE"u8) ? value.ToString(CultureInfo.InvariantCulture) : "other")}",
                _ => reader.TokenType.ToString(),
            });
        }

        return tokens;

        static string Text(ref Utf8JsonReader reader)
        {
            try
            {
                return reader.GetString()!;
            }
            catch (InvalidOperationException error)
            {
                throw new JsonException("Half of a surrogate pair.", error);
            }
        }
    }

    private static string Document(Random random)
    {
        var text = new StringBuilder();
        Value(4);
        return text.ToString();

        void Value(int depth)
        {
            Space();
            switch (random.Next(depth == 0 ? 5 : 9))
            {
                case 0:
                    text.Append("true");
                    break;
                case 1:
                    text.Append("false");
                    break;
                case 2:
                    text.Append("null");
                    break;
                case 3:
                    text.Append(s_numbers[random.Next(s_numbers.Length)]);
                    break;
                case 4:
                    Quoted();
                    break;
                case 5 or 6:
                    Container('{', '}', () =>
                    {
                        Space();
                        Quoted();
                        Space();
                        text.Append(':');
                        Value(depth - 1);
                    });
                    break;
                default:
                    Container('[', ']', () => Value(depth - 1));
                    break;
            }

            Space();
        }

        void Container(char open, char close, Action item)
        {
            text.Append(open);
            Space();
            for (int i = random.Next(4); i > 0; i--)
            {
                item();
                if (i > 1)
                    text.Append(',');
            }

            text.Append(close);
        }

        void Quoted()
        {
            text.Append('"');
            for (int i = random.Next(4); i > 0; i--)
                text.Append(s_pieces[random.Next(s_pieces.Length)]);
            text.Append('"');
        }

        void Space() => text.Append(" \n\r\t"[random.Next(4)].ToString(), 0, random.Next(2));
    }

    private static bool IsText(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i])))
                return false;
        }

        return true;
    }
}
